"""The MCP tools: the public operations of the table, asked by agents.

Gradio serves the protocol. What the tools take, their calls and their answers are the table's own: Gradio
would answer in Python's notation, which no agent can parse, refuse in its own and jsonschema's words, and
hand over no file. A refusal is one sentence, with isError. Of the protocol nothing else is served: no
prompts, no resources, no completion.
"""

from __future__ import annotations

import json
import logging
from functools import cache
from typing import Any

import gradio as gr

from mmdemo.errors import MmdemoError, UserError
from mmdemo.service.app import App
from mmdemo.service.operations.requests import about, is_file, is_lines, shown
from mmdemo.service.operations.table import OPERATIONS, Operation
from mmdemo.ui.access.gate import asker_of
from mmdemo.ui.calls import carried_out
from mmdemo.ui.files import FROM_AGENT
from mmdemo.ui.turns import TURN

log = logging.getLogger(__name__)
FILE = (
    "a data: URL in base64 of at most 6 MB, a public http(s) URL, or the path or address of a file that "
    "was sent to /gradio_api/upload"
)


def input_schema(operation: Operation) -> dict[str, Any]:
    """What a tool takes, as JSON schema."""
    schema = operation.request.model_json_schema()
    properties: dict[str, Any] = {}
    for name, field in operation.fields.items():
        said = {key: value for key, value in schema["properties"][name].items() if key != "title"}
        if is_file(field):
            said = {"type": ["string", "null"], "default": None}
        elif is_lines(field):
            said = {"type": "string"} | ({} if field.is_required() else {"default": ""})
        told = f"{about(field)}: {FILE}" if is_file(field) else about(field)
        properties[name] = said | {"description": told}
    required = [name for name, field in operation.fields.items() if field.is_required()]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def answer_agents(page: gr.Blocks, app: App) -> None:
    """Make the tools of a launched page those of the table."""
    server: Any = page.mcp_server_obj
    from mcp import types

    tools = {tool: OPERATIONS.get(endpoint.strip("/")) for tool, endpoint in server.tool_to_endpoint.items()}

    @cache  # what is told of the tools asks for all of them, which would take 100 ms
    def schema(tool: str) -> tuple[dict[str, Any], list[list[str]]]:
        files = [[name] for name, field in tools[tool].fields.items() if is_file(field)]
        return input_schema(tools[tool]), files

    def schema_of(tool: str, parameters: Any = None) -> tuple[dict[str, Any], list[list[str]]]:
        return schema(tool)

    describe, known = server.get_fn_description, dict[str, Any]()

    def described_once(block: Any, tool: str) -> Any:
        if tool not in known:
            known[tool] = describe(block, tool)
        return known[tool]

    @cache  # made anew for each who asks, 80 agents would keep a label waiting for two seconds
    def told_of(tool: str) -> types.Tool:
        block = server.get_block_fn_from_endpoint_name(server.tool_to_endpoint[tool])
        return types.Tool(name=tool, description=described_once(block, tool)[0], inputSchema=schema(tool)[0])

    async def list_tools(request: Any) -> Any:
        chosen = server.get_selected_tools_from_request()
        told = [told_of(tool) for tool in tools if chosen is None or tool in chosen]
        return types.ServerResult(types.ListToolsResult(tools=told))

    def refused(sentence: str) -> Any:
        text = types.TextContent(type="text", text=sentence)
        return types.ServerResult(types.CallToolResult(content=[text], isError=True))

    async def call_tool(request: Any) -> Any:
        asked = request.params
        try:
            chosen = server.get_selected_tools_from_request() or tools
            if asked.name not in tools or asked.name not in chosen:
                raise UserError(f"There is no tool {shown(asked.name)}.", f"Use one of: {', '.join(chosen)}.")
            came_by = server.mcp_server.request_context.request
            asker = asker_of(came_by.scope if came_by else None)
            if came_by is not None and TURN in came_by.scope:
                came_by.scope[TURN].over()  # from here on it waits for a thread
            answer = await carried_out(app, tools[asked.name], asked.arguments or {}, asker, FROM_AGENT)
        except MmdemoError as e:
            return refused(str(e))
        except Exception:
            log.exception("%s failed", asked.name)
            return refused("Something went wrong in mmdemo. Its log says what.")
        text = types.TextContent(type="text", text=json.dumps(answer, ensure_ascii=False))
        return types.ServerResult(types.CallToolResult(content=[text], structuredContent=answer))

    server.get_input_schema, server.get_fn_description = schema_of, described_once
    handlers = server.mcp_server.request_handlers
    ping = handlers[types.PingRequest]
    handlers.clear()  # Gradio's of prompts and resources call an endpoint as this machine, whoever asks
    handlers |= {
        types.PingRequest: ping,
        types.CallToolRequest: call_tool,
        types.ListToolsRequest: list_tools,
    }
