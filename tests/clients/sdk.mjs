// Drives a server with OpenCode's own JavaScript SDK and prints what came of it as JSON.
import { createOpencodeClient } from "@opencode-ai/sdk"

const [baseUrl] = process.argv.slice(2)
const client = createOpencodeClient({ baseUrl, throwOnError: true })
const report = {}
const seen = []
const waiting = []

const stop = new AbortController()
const events = await client.event.subscribe({ signal: stop.signal })
const reading = (async () => {
  for await (const event of events.stream) {
    seen.push(event)
    for (const check of [...waiting]) check()
  }
})().catch(() => {})

function until(test) {
  return new Promise((resolve) => {
    const check = () => {
      const found = seen.find(test)
      if (!found) return
      waiting.splice(waiting.indexOf(check), 1)
      resolve(found)
    }
    waiting.push(check)
    check()
  })
}

await until((e) => e.type === "server.connected")
const session = (await client.session.create({ body: { title: "From the SDK" } })).data
report.title = session.title
report.listed = (await client.session.list()).data.map((s) => s.id).includes(session.id)

const path = { id: session.id }
const parts = (text) => [{ type: "text", text }]
const answer = (await client.session.prompt({ path, body: { parts: parts("hello") } })).data
report.text = answer.parts.filter((p) => p.type === "text").map((p) => p.text).join("")
report.tokens = answer.info.tokens.output

await client.session.promptAsync({ path, body: { parts: parts("RUN: echo from-the-sdk") } })
const asked = await until((e) => e.type === "permission.asked")
await client.postSessionIdPermissionsPermissionId({
  path: { id: session.id, permissionID: asked.properties.id },
  body: { response: "once" },
})
const done = await until(
  (e) => e.type === "message.part.updated" && e.properties.part.type === "tool" &&
    e.properties.part.state.status === "completed",
)
report.output = done.properties.part.state.output.trim()
await until((e) => e.type === "session.idle" && seen.indexOf(e) > seen.indexOf(done))

report.messages = (await client.session.messages({ path })).data.length
report.agents = (await client.app.agents()).data.map((a) => a.name)
report.providers = (await client.config.providers()).data.providers.map((p) => p.id)
report.project = (await client.project.current()).data.worktree
report.files = (await client.find.files({ query: { query: "README" } })).data
report.read = (await client.file.read({ query: { path: "README.md" } })).data.content
report.aborted = (await client.session.abort({ path })).data
report.deltas = seen.filter((e) => e.type === "message.part.delta").length > 0
const missing = await client.session.get({ path: { id: "ses_nope" }, throwOnError: false })
report.missing = missing.error.name
report.deleted = (await client.session.delete({ path })).data

stop.abort()
await Promise.race([reading, new Promise((r) => setTimeout(r, 500))])
console.log(JSON.stringify(report))
process.exit(0)
