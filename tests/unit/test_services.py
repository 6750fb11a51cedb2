from pathlib import Path

import pytest

from shared.errors import ConfigurationError, Unavailable
from shared.services import Services
from shared.settings import Settings


def services(folder: Path, **changes: str) -> Services:
    return Services(Settings.model_validate({"auth_mode": "open", "data_dir": folder, **changes}))


def test_what_is_loaded_beside_the_imports_is_there_once_and_ready(tmp_path: Path) -> None:
    made = services(tmp_path)
    assert made.conversations
    assert "embedder" in vars(made)
    assert made.embedder.embed_query("one").shape == (made.embedder.dimensions,)


def test_a_model_that_cannot_be_loaded_is_told_though_it_was_tried_in_a_thread(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="EMBEDDING_MODEL"):
        _ = services(tmp_path, embedding_model=str(tmp_path / "none")).conversations


async def test_they_are_closed_at_the_end_of_their_block(tmp_path: Path) -> None:
    async with services(tmp_path) as made:
        await made.store.ping()
    with pytest.raises(Unavailable):
        await made.store.ping()
