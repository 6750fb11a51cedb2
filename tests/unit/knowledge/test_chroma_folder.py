from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.knowledge.chroma import ChromaIndex
from shared.knowledge.chroma_folder import FILE


async def test_an_index_that_cannot_be_opened_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database")
    index = ChromaIndex(tmp_path, "model")
    with pytest.raises(Unavailable, match=rf"in {tmp_path} cannot be opened: .*delete this folder"):
        await index.ping()

    (tmp_path / FILE).unlink()
    await index.ping()
    await index.close()
