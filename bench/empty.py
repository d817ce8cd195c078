"""The baseline: the smallest FastAPI application, which validates a body and answers it, and reads nothing."""

from decimal import Decimal
from uuid import UUID

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

app = FastAPI()


class Body(BaseModel):
    """The same fields as the command that is measured."""

    opportunity_id: UUID | None = None
    customer_id: UUID
    pipeline_id: UUID
    name: str
    owner_id: str
    amount: Decimal


@app.post("/")
async def post(body: Body) -> dict[str, str]:
    """Do nothing with a command's body."""
    return {"name": body.name}


@app.get("/{customer_id}")
async def get(customer_id: UUID) -> dict[str, str]:
    """Read nothing."""
    return {"id": str(customer_id)}


@app.post("/hooks")
async def take(request: Request) -> Response:
    """Take a webhook's message, and do nothing with it."""
    await request.body()
    return Response(status_code=204)
