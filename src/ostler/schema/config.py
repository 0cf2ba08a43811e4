"""opencode.json, every key of it. Loading and merging live in ``ostler.config``."""

from typing import Annotated, Any, Literal

import msgspec

from ostler.schema.agent import AgentMode
from ostler.schema.base import NonNegative, Number, Positive, Wire
from ostler.schema.permission import PermissionAction
from ostler.schema.session import Budget, Unattended

LogLevel = Literal["DEBUG", "INFO", "WARN", "ERROR"]
PermissionRuleConfig = PermissionAction | dict[str, PermissionAction]
PermissionConfig = PermissionAction | dict[str, PermissionRuleConfig]
Color = Annotated[
    str,
    msgspec.Meta(pattern="^(#[0-9a-fA-F]{6}|primary|secondary|accent|success|warning|error|info)$"),
]
Modality = Literal["text", "audio", "image", "video", "pdf"]
MEGABYTE = 2**20
TimeoutMs = Positive | Literal[False]


class ServerConfig(Wire):
    port: Positive | None = None
    hostname: str | None = None
    mdns: bool | None = None
    mdnsDomain: str | None = None
    cors: list[str] | None = None


class CommandConfig(Wire):
    template: str
    description: str | None = None
    agent: str | None = None
    model: str | None = None
    variant: str | None = None
    subtask: bool | None = None


class SkillsConfig(Wire):
    paths: list[str] | None = None
    urls: list[str] | None = None


class ReferenceConfig(Wire):
    """A folder (``path``) or a repository (``repository``, ``branch``) agents may read."""

    repository: str | None = None
    branch: str | None = None
    path: str | None = None
    description: str | None = None
    hidden: bool | None = None


class WatcherConfig(Wire):
    ignore: list[str] | None = None


class AgentConfig(Wire):
    """Unknown keys of an agent become its ``options``, which are sent to the model. ``fallback``:
    models (provider/model) to ask, in order, when its own cannot answer; ``budget``: of each prompt
    it answers."""

    model: str | None = None
    variant: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    prompt: str | None = None
    tools: dict[str, bool] | None = None
    disable: bool | None = None
    description: str | None = None
    mode: AgentMode | None = None
    hidden: bool | None = None
    options: dict[str, Any] | None = None
    color: Color | None = None
    steps: Positive | None = None
    maxSteps: Positive | None = None
    permission: PermissionConfig | None = None
    name: str | None = None
    fallback: list[str] | None = None
    budget: Budget | None = None


class CostTierConfig(Wire):
    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


class CostConfig(Wire):
    """USD per million tokens."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    context_over_200k: CostTierConfig | None = None


class LimitConfig(Wire):
    context: Number
    output: Number
    input: Number | None = None


class ModalitiesConfig(Wire):
    input: list[Modality] | None = None
    output: list[Modality] | None = None


class InterleavedConfig(Wire):
    field: str


class ModelProviderConfig(Wire):
    npm: str | None = None
    api: str | None = None


class ModelConfig(Wire):
    id: str | None = None
    name: str | None = None
    family: str | None = None
    release_date: str | None = None
    attachment: bool | None = None
    reasoning: bool | None = None
    temperature: bool | None = None
    tool_call: bool | None = None
    interleaved: bool | str | InterleavedConfig | None = None
    cost: CostConfig | None = None
    limit: LimitConfig | None = None
    modalities: ModalitiesConfig | None = None
    experimental: bool | None = None
    status: Literal["alpha", "beta", "deprecated", "active"] | None = None
    provider: ModelProviderConfig | None = None
    options: dict[str, Any] | None = None
    headers: dict[str, str] | None = None
    variants: dict[str, dict[str, Any]] | None = None
    fallback: list[str] | None = None


class OAuthConfig(Wire):
    """How a person signs in to a provider (models/oauth.py); Ostler's addition."""

    clientId: str
    tokenUrl: str
    flow: Literal["device", "browser"] = "browser"
    authorizeUrl: str | None = None
    deviceUrl: str | None = None
    clientSecret: str | None = None
    scope: str | None = None
    callbackPort: Positive | None = None
    label: str | None = None


class ProviderConfig(Wire):
    """``npm`` names the wire (see models/); ``options`` has apiKey, baseURL, headers, timeouts."""

    api: str | None = None
    name: str | None = None
    env: list[str] | None = None
    id: str | None = None
    npm: str | None = None
    whitelist: list[str] | None = None
    blacklist: list[str] | None = None
    options: dict[str, Any] | None = None
    models: dict[str, ModelConfig] | None = None
    oauth: OAuthConfig | None = None


class McpOAuthConfig(Wire):
    clientId: str | None = None
    clientSecret: str | None = None
    scope: str | None = None
    callbackPort: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    redirectUri: str | None = None


class McpConfig(Wire):
    """``type`` local (``command``) or remote (``url``); an entry of ``enabled`` alone switches an
    inherited server on or off."""

    type: Literal["local", "remote"] | None = None
    command: list[str] | None = None
    cwd: str | None = None
    environment: dict[str, str] | None = None
    url: str | None = None
    headers: dict[str, str] | None = None
    oauth: McpOAuthConfig | Literal[False] | None = None
    enabled: bool | None = None
    timeout: Positive | None = None


class FormatterConfig(Wire):
    disabled: bool | None = None
    command: list[str] | None = None
    environment: dict[str, str] | None = None
    extensions: list[str] | None = None


class LspConfig(Wire):
    disabled: bool | None = None
    command: list[str] | None = None
    extensions: list[str] | None = None
    env: dict[str, str] | None = None
    initialization: dict[str, Any] | None = None


class ImageAttachmentConfig(Wire):
    auto_resize: bool | None = None
    max_width: Positive | None = None
    max_height: Positive | None = None
    max_base64_bytes: Positive | None = None


class AttachmentConfig(Wire):
    image: ImageAttachmentConfig | None = None


class EnterpriseConfig(Wire):
    url: str | None = None


class ToolOutputConfig(Wire):
    max_lines: Positive | None = None
    max_bytes: Positive | None = None


class CompactionConfig(Wire):
    """Tokens, except ``tail_turns`` (turns kept verbatim)."""

    auto: bool | None = None
    prune: bool | None = None
    tail_turns: NonNegative | None = None
    preserve_recent_tokens: NonNegative | None = None
    reserved: NonNegative | None = None


class RetryConfig(Wire):
    """How a failed model call is tried again: ``attempts`` more times at most, the first after
    ``delay`` ms, none later than ``total`` ms after the first failure; ``beforeFallback``:
    attempts before a fallback model is asked, where there is one."""

    attempts: NonNegative | None = None
    delay: Positive | None = None
    total: Positive | None = None
    beforeFallback: NonNegative | None = None


class DiskConfig(Wire):
    """In MB. ``free``: no turn is begun with less free on the disk; 0: always one. ``snapshots``:
    of one checkout, at most; 0: no limit."""

    free: NonNegative | None = None
    snapshots: NonNegative | None = None


class RetentionConfig(Wire):
    """What of sessions is deleted: whole ones that nothing has happened in for ``days``, those that
    were archived ``archived_days`` ago, the output of tools that models are no longer shown after
    ``output_days``; and of the oldest as much as makes the database smaller than ``size`` MB."""

    days: Positive | None = None
    archived_days: Positive | None = None
    output_days: Positive | None = None
    size: Positive | None = None


class ExperimentalConfig(Wire):
    disable_paste_summary: bool | None = None
    batch_tool: bool | None = None
    openTelemetry: bool | None = None
    primary_tools: list[str] | None = None
    continue_loop_on_deny: bool | None = None
    mcp_timeout: Positive | None = None
    policies: list[dict[str, Any]] | None = None


class Config(Wire, rename={"schema_": "$schema"}):
    schema_: str | None = None
    shell: str | None = None
    logLevel: LogLevel | None = None
    server: ServerConfig | None = None
    command: dict[str, CommandConfig] | None = None
    skills: SkillsConfig | None = None
    references: dict[str, str | ReferenceConfig] | None = None
    reference: dict[str, str | ReferenceConfig] | None = None
    watcher: WatcherConfig | None = None
    snapshot: bool | None = None
    plugin: list[str | list[Any]] | None = None
    share: Literal["manual", "auto", "disabled"] | None = None
    autoshare: bool | None = None
    autoupdate: bool | Literal["notify"] | None = None
    disabled_providers: list[str] | None = None
    enabled_providers: list[str] | None = None
    model: str | None = None
    small_model: str | None = None
    default_agent: str | None = None
    subagent_depth: NonNegative | None = None
    username: str | None = None
    mode: dict[str, AgentConfig] | None = None
    agent: dict[str, AgentConfig] | None = None
    provider: dict[str, ProviderConfig] | None = None
    mcp: dict[str, McpConfig] | None = None
    formatter: bool | dict[str, FormatterConfig] | None = None
    lsp: bool | dict[str, LspConfig] | None = None
    instructions: list[str] | None = None
    layout: Literal["auto", "stretch"] | None = None
    permission: PermissionConfig | None = None
    tools: dict[str, bool] | None = None
    attachment: AttachmentConfig | None = None
    enterprise: EnterpriseConfig | None = None
    tool_output: ToolOutputConfig | None = None
    compaction: CompactionConfig | None = None
    experimental: ExperimentalConfig | None = None
    # Ostler's own
    unattended: bool | Unattended | None = None
    ask_timeout: Positive | None = None
    trust: bool | None = None
    subagent_timeout: Positive | None = None
    plugin_timeout: Positive | None = None
    retry: RetryConfig | None = None
    disk: DiskConfig | None = None
    retention: RetentionConfig | None = None
