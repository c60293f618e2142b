// A server of the MCP SDK 2, revision 2026: each request stands alone. A long answer is an event stream with notifications.
"use strict";
const http = require("node:http");
const { toNodeHandler } = require("@modelcontextprotocol/node");
const { McpServer, createMcpHandler } = require("@modelcontextprotocol/server");
const { z } = require("zod");
const { pieces, sent, ready } = require("./common");

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "echo", version: "1.0.0" });
  const tool = { description: "Answers at random.", inputSchema: z.object({ tone: z.string().optional(), question: z.string() }) };
  server.registerTool("ask", tool, async ({ question }, { mcpReq }) => {
    if (question === "fail") throw new Error("the model is asleep");
    const drawn = pieces(1);
    if (drawn.length % 2) {
      const { progressToken } = mcpReq._meta;
      await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress: 1, total: 2 } });
    }
    sent({ message: question, text: drawn.join("\n") });
    return { content: drawn.map((text) => ({ type: "text", text })) };
  });
  return server;
});
const server = http.createServer(toNodeHandler(handler));
server.listen(0, "127.0.0.1", () => ready(server.address().port));
