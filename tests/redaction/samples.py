"""For each rule a made-up secret that it takes, and what looks like one and is none."""

A = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
HEX = "0123456789abcdef"


def some(length: int, alphabet: str = A) -> str:
    """Return `length` characters that repeat nothing obvious and are the same each time."""
    return "".join(alphabet[(7 * i * i + 11 * i + 3) % len(alphabet)] for i in range(length))


UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LETTERS = A[:52]
JWT = f"eyJ{some(20)}.eyJ{some(40)}.{some(43)}"

POSITIVE = (
    ("Anthropic key", "key is sk-ant-api03-{} here", some(90)),
    ("OpenAI key", "OPENAI=sk-proj-{}", some(80)),
    ("OpenAI key, old", "x sk-{} y", some(20) + "T3BlbkFJ" + some(20)),
    ("OpenRouter key", "sk-or-v1-{}", some(64, HEX)),
    ("GitHub token", "token ghp_{} end", some(36)),
    ("GitHub app token", "x-access-token:ghs_{}", some(36)),
    ("GitHub fine-grained token", "github_pat_{}", some(22) + "_" + some(59)),
    ("GitLab token", "glpat-{}", some(20)),
    ("Hugging Face token", "HF hf_{}", some(34, LETTERS)),
    ("AWS key id", "id AKIA{} end", some(16, UPPER)),
    ("AWS secret", "aws_secret_access_key = {}", some(40)),
    ("AWS secret in JSON", '"SecretAccessKey": "{}"', some(40)),
    ("Google key", "AIza{}", some(35)),
    ("Google secret", "GOCSPX-{}", some(28)),
    ("Google token", "ya29.{}", some(60)),
    ("Slack token", "xoxb-{}", "123456789012-" + some(24)),
    ("Slack app token", "xapp-1-{}", some(40)),
    ("Slack webhook", "https://hooks.slack.com/services/{}", "T00000000/B00000000/" + some(24)),
    ("Discord webhook", "/api/webhooks/123456789012345678/{}", some(68)),
    ("Stripe key", "sk_live_{}", some(24)),
    ("SendGrid key", "SG.{}", some(22) + "." + some(43)),
    ("npm token", "npm_{}", some(36)),
    ("PyPI token", "pypi-AgEIcHlwaS5vcmc{}", some(80)),
    ("Docker token", "dckr_pat_{}", some(27)),
    ("DigitalOcean token", "dop_v1_{}", some(64, HEX)),
    ("Databricks token", "dapi{}", some(32, HEX)),
    ("Azure storage key", "AccountName=x;AccountKey={};End", some(86) + "=="),
    ("Azure signature", "?sv=2&sig={}&x=1", some(43) + "%3D"),
    ("Vault token", "hvs.{}", some(90)),
    ("Grafana token", "glsa_{}", some(32) + "_" + some(8, HEX)),
    ("Telegram token", "bot123456789:{}", "AA" + some(33)),
    ("NVIDIA key", "nvapi-{}", some(64)),
    ("Groq key", "gsk_{}", some(52)),
    ("Replicate token", "r8_{}", some(37)),
    ("xAI key", "xai-{}", some(80)),
    ("Linear key", "lin_api_{}", some(40)),
    ("Shopify token", "shpat_{}", some(32, HEX)),
    ("age key", "AGE-SECRET-KEY-1{}", some(58, UPPER)),
    ("private key", "-----BEGIN RSA PRIVATE KEY-----\n{}", some(64) + "\n" + some(40)),
    ("private key in JSON", '"-----BEGIN PRIVATE KEY-----\\n{}', some(64) + "\\n" + some(40)),
    ("JSON web token", "Cookie: {}", JWT),
    ("password in a URL", "postgresql://user:{}@db:5432/x", "s3cr3t-Pw"),
    ("token as the user of a URL", "https://{}@github.com/a/b.git", some(40, HEX)),
    ("token as the user with a password", "https://{}:x@github.com/a/b.git", some(40, HEX)),
    ("bearer token", "Authorization: Bearer {}", some(40)),
    ("basic credentials", "Authorization: Basic {}", some(24) + "=="),
    ("assigned secret", 'db_password = "{}"', "hunter2hunter2"),
)
"""Name, text around it, the part that must go."""

NEGATIVE = (
    "commit " + some(40, HEX),
    "sha256:" + some(64, HEX),
    some(5000) + "==",  # an array in base64
    "k-" + some(16, HEX) + " ev-" + some(16, HEX) + " plan-" + some(16, HEX),
    "a-" + some(20, HEX) + " r-" + some(16, HEX) + " agent/row_softmax-" + some(16, HEX),
    "123e4567-e89b-12d3-a456-426614174000",
    "sk-ant-short", "sk-ant-{key}", "mask-ant-" + "x" * 10, "sk-learn is a library",
    "ghp_ is a prefix", "the word ghosts_", "github_pat_TOKEN", "glpat-", "hf_hub_download",
    "hf_" + "model", "AKIA", "AKIAlowercaseletters", "a" * 20 + "AKIA" + some(16, UPPER),
    "aws_secret_access_key = os.environ['X']", "AIza", "GOCSPX-", "ya29.x", "xoxb-1", "xapp-1-",
    "https://hooks.slack.com/", "/api/webhooks/1/x", "sk_live_", "MSG.format.x", "npm_config_cache",
    "pypi-AgE", "dckr_pat_", "dop_v1_zz", "dapi" + "deadbeef", "AccountKey=", "?sig=short",
    "hvs.x", "glsa_", "12:AA", "nvapi-", "gsk_", "r8_offset", "float r8_x = 1", "xai-", "lin_api_",
    "shpat_", "AGE-SECRET-KEY-1", "-----BEGIN PUBLIC KEY-----\n" + some(64), "eyJ.x", "eyJhbGciOi",
    "https://example.org/path:8080", "http://127.0.0.1:3000/x@y", "postgresql://user@host/db",
    "git@github.com:owner/name.git", "https://a-user-with-a-long-name@host/x",
    "https://host/" + some(40, HEX) + "@x", "https://" + some(30) + "/user@host",
    "Bearer of bad news", "bearer {token}", "Basic principles",
    'password = ""', 'password = "{password}"', 'secret = get("name")', "password_hash_column",
    "api_key = settings.api_key", 'tokens = "max_tokens"', "__shared__ float secret[64][65];",
    "rocm_pipeline/templates:latest", "row_softmax_f32<<<grid, block>>>(x, y);",
)  # fmt: skip
