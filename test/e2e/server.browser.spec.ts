/** The browser edition's server: its own address alone, its own files alone, the policy on every answer. */
import { request } from "node:http";
import { serve } from "../../build/lib/serve.mjs";
import { expect, test } from "./lib/lab.ts";

function ask(
  url: string,
  options: { path?: string; host?: string; method?: string },
): Promise<{ status: number; policy: string | undefined; body: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        path: options.path ?? "/",
        method: options.method ?? "GET",
        headers: options.host === undefined ? {} : { Host: options.host },
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (text: string) => {
          body += text;
        });
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            policy: response.headers["content-security-policy"] as string | undefined,
            body,
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end();
  });
}

test("it answers for 127.0.0.1 alone", async () => {
  const server = await serve();
  try {
    expect(new URL(server.url).hostname).toBe("127.0.0.1");
    expect((await ask(server.url, {})).status).toBe(200);
    for (const host of [
      "evil.example",
      `evil.example:${new URL(server.url).port}`,
      "127.0.0.1:1",
      "0.0.0.0",
    ]) {
      const answer = await ask(server.url, { host });
      expect(answer.status).toBe(421);
      expect(answer.body).not.toContain("<html");
    }
    expect((await ask(server.url, { method: "POST" })).status).toBe(405);
  } finally {
    await server.close();
  }
});

test("it serves the page's files alone, each answer with the policy", async () => {
  const server = await serve();
  try {
    const paths = [
      "/%2e%2e/package.json",
      "/../package.json",
      "/..%2f..%2fpackage.json",
      "/%00",
      "/%",
      "/nothing.js",
    ];
    for (const path of paths) {
      const answer = await ask(server.url, { path });
      expect(answer.status, path).toBe(404);
      expect(answer.policy).toContain("default-src 'none'");
    }
    expect((await ask(server.url, {})).policy).toContain("default-src 'none'");
  } finally {
    await server.close();
  }
});
