"""The MCP tools answer in JSON: as structured content, and as the JSON's text for agents that read only that.

Gradio writes a dictionary as Python does, which no agent can parse.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr


def answer_in_json(page: gr.Blocks) -> None:
    """Make the tools of a launched page answer in JSON."""
    server: Any = page.mcp_server_obj
    from mcp import types

    def as_json(data: list[Any], root_url: str) -> list[Any]:
        return [types.TextContent(type="text", text=json.dumps(one, ensure_ascii=False)) for one in data]

    server.postprocess_output_data = as_json
    handlers = server.mcp_server.request_handlers
    call = handlers[types.CallToolRequest]

    async def call_tool(request: Any) -> Any:
        found = await call(request)
        result = found.root
        if not result.isError and len(result.content) == 1:
            answer = json.loads(result.content[0].text)
            result.structuredContent = answer if isinstance(answer, dict) else {"result": answer}
        return found

    handlers[types.CallToolRequest] = call_tool
