"""One streaming and one classic HTTP function: Azure refuses such an app."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request

app = func.FunctionApp()


@app.route(route="streaming")
async def streaming(req: Request) -> JSONResponse:
    return JSONResponse({})


@app.route(route="classic")
async def classic(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("")
