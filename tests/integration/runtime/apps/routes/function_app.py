"""Two routes of different kind, without a catch-all."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request

app = func.FunctionApp()


@app.route(route="items/{item}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def item(req: Request) -> JSONResponse:
    return JSONResponse({"item": req.path_params["item"]})


@app.route(route="fails", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def fails(req: Request) -> JSONResponse:
    raise RuntimeError("a customer's secret")
