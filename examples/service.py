"""EF over HTTP, by FastAPI: a recording goes in, its summary.json comes out.

pip install fastapi uvicorn
python examples/service.py
curl --data-binary @clip.dcm http://127.0.0.1:8000/ef
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool

import echo_rt

MOST_BYTES = 500_000_000
ONE_AT_A_TIME = Lock()  # an engine belongs to one recording at a time


@asynccontextmanager
async def engine_of(app: FastAPI) -> AsyncIterator[None]:
    """The engine lives as long as the service."""
    with echo_rt.open_engine() as app.state.engine:
        yield


app = FastAPI(title="EF of an apical recording", lifespan=engine_of)


@app.post("/ef")
async def ef(request: Request) -> dict[str, Any]:
    """The summary of the recording in the body of the request."""
    if int(request.headers.get("content-length", MOST_BYTES)) >= MOST_BYTES:
        raise HTTPException(413, f"expected a content-length below {MOST_BYTES} bytes")
    with tempfile.TemporaryDirectory() as folder:  # the recording is gone after the answer
        path = Path(folder) / "recording"
        path.write_bytes(await request.body())
        return await run_in_threadpool(summary, path, request.app.state.engine)


def summary(path: Path, engine: echo_rt.Engine) -> dict[str, Any]:
    """What summary.json would hold; what is no recording is a 422."""
    try:
        with ONE_AT_A_TIME:
            return {**echo_rt.process(path, engine).to_dict(), "recording": "", "recording_id": ""}
    except echo_rt.SourceError as error:
        raise HTTPException(422, str(error).replace(str(path), "recording")) from None


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=8000)
