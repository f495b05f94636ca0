"""The same questions for programs: HTTP, gradio_client, MCP."""
