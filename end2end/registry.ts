// The registry behind the pages, as programs reach it: each test makes agents of its own here and reads what they are served.
import { expect, type APIRequestContext } from "@playwright/test";

type Details = { created_by?: string; notes?: string; base_version?: string };

export class Registry {
  #names = 0;

  constructor(
    private readonly request: APIRequestContext,
    /** Tells the tests that run at the same time apart. */
    private readonly worker: number,
  ) {}

  /** A name that no other test has. Nothing but digits varies in it: letters that come by chance would spell a word of a page. */
  name(): string {
    this.#names += 1;
    return `e2e_${Date.now()}_${this.worker}_${this.#names}`;
  }

  /** A word of letters that no other text has. */
  word(): string {
    return `zq${this.name().replaceAll(/\d/g, (digit) => "ghijklmnop"[Number(digit)] ?? "").replaceAll("_", "x")}`;
  }

  /** An agent whose version 1.0.0 is live with this text. */
  async agent(text: string, details: Details = {}): Promise<string> {
    const agentType = this.name();
    await this.create(agentType, "1.0.0", text, details);
    await this.promote(agentType, "1.0.0");
    return agentType;
  }

  /** A draft. */
  async create(agentType: string, version: string, text: string, details: Details = {}): Promise<void> {
    const data = { agent_type: agentType, version, prompt_text: text, created_by: "ada", ...details };
    const answer = await this.request.post("/api/v1/prompts/versions", { data });
    expect(answer.status(), await answer.text()).toBe(201);
  }

  async promote(agentType: string, version: string, by = "ada"): Promise<void> {
    const data = { agent_type: agentType, version, promoted_by: by };
    const answer = await this.request.post("/api/v1/prompts/promote", { data });
    expect(answer.status(), await answer.text()).toBe(200);
  }

  /** A text that is live at once. */
  async release(agentType: string, version: string, text: string, details: Details = {}): Promise<void> {
    await this.create(agentType, version, text, details);
    await this.promote(agentType, version, details.created_by);
  }

  /** What agents are served. */
  async active(agentType: string): Promise<{ version: string; text: string }> {
    const ask = () => this.request.get(`/api/v1/prompts/${agentType}/active`);
    let answer = await ask();
    const isStale = () => answer.headers()["verbatim-stale"] === "true";
    // A database that does not answer in time is away for the server, which then serves what it knew last, and says so.
    const askAgain = async () => {
      answer = await ask();
      return isStale();
    };
    if (isStale()) await expect.poll(askAgain, { timeout: 60_000 }).toBe(false);
    expect(answer.status()).toBe(200);
    const { version, prompt_text: text } = await answer.json();
    return { version, text };
  }

  /** The text of a version, word for word. */
  async text(agentType: string, version: string): Promise<string> {
    const answer = await this.request.get(`/api/v1/prompts/${agentType}/${version}`);
    expect(answer.status()).toBe(200);
    return (await answer.json()).prompt_text;
  }

  /** The numbers of all versions, the newest first. */
  async versions(agentType: string): Promise<string[]> {
    const answer = await this.request.get(`/api/v1/prompts/${agentType}/versions`);
    if (answer.status() === 404) return [];
    return (await answer.json()).map((version: { version: string }) => version.version);
  }
}
