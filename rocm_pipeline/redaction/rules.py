"""Secrets by their form, for those that no variable of the environment names.

A rule is tried where one of its keywords stands, and nowhere else; its pattern begins there and is
bounded, so that a long text costs little. What has no form of its own (a hash, a commit, encoded
data) is never taken for a secret.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """`keywords` are lower case. The group `secret` is what goes, or else the whole match."""

    name: str
    keywords: tuple[str, ...]
    pattern: re.Pattern[str]

    @property
    def group(self) -> str | int:
        return "secret" if "secret" in self.pattern.groupindex else 0


def _rule(name: str, keywords: str, pattern: str) -> Rule:
    return Rule(name, tuple(keywords.split()), re.compile(pattern, re.ASCII))


_START = r"(?<![A-Za-z0-9_-])"
_WORD = r"[A-Za-z0-9_-]"
_QUOTE = r"(?:\\{0,3}[\"'])"  # in JSON within JSON a quote has backslashes before it

RULES = (
    _rule("Anthropic key", "sk-ant-", rf"sk-ant-{_WORD}{{20,200}}"),
    _rule("OpenAI key", "sk-proj- sk-svca sk-admin-",
          rf"sk-(?:proj|svcacct|admin)-{_WORD}{{20,200}}"),
    _rule("OpenAI key", "sk-", r"sk-[A-Za-z0-9]{16,40}T3BlbkFJ[A-Za-z0-9]{16,40}"),
    _rule("OpenRouter key", "sk-or-v1-", r"sk-or-v1-[0-9a-f]{40,80}"),
    _rule("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", rf"{_START}gh[pousr]_[A-Za-z0-9]{{30,255}}"),
    _rule("GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{36,255}"),
    _rule("GitLab token", "glpat- gldt- glrt-", rf"{_START}gl(?:pat|dt|rt)-{_WORD}{{20,64}}"),
    _rule("Hugging Face token", "hf_", rf"{_START}hf_[A-Za-z]{{30,64}}(?![A-Za-z0-9_])"),
    _rule("AWS key id", "akia asia abia acca",
          rf"{_START}(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{{16}}(?![A-Za-z0-9_])"),
    _rule("AWS secret", "aws_secret awssecret aws_session secretaccesskey",
          r"(?i:aws_?(?:secret|session)[a-z_]{0,20}|secretaccesskey)"
          rf"{_QUOTE}?\s{{0,4}}[:=]\s{{0,4}}{_QUOTE}?(?P<secret>[A-Za-z0-9/+=]{{40,600}})"),
    _rule("Google key", "aiza", rf"{_START}AIza{_WORD}{{35}}(?![A-Za-z0-9_-])"),
    _rule("Google secret", "gocspx-", rf"GOCSPX-{_WORD}{{20,40}}"),
    _rule("Google token", "ya29.", rf"{_START}ya29\.{_WORD}{{30,300}}"),
    _rule("Slack token", "xoxb- xoxa- xoxp- xoxr- xoxs- xoxe",
          rf"{_START}xox[bapres](?:\.xox[bp])?-[A-Za-z0-9-]{{10,250}}"),
    _rule("Slack token", "xapp-", rf"{_START}xapp-\d-[A-Za-z0-9-]{{20,200}}"),
    _rule("Slack webhook", "hooks.slack.com",
          r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[A-Za-z0-9/_-]{20,120})"),
    _rule("Discord webhook", "/api/webhooks/",
          rf"/api/webhooks/\d{{15,21}}/(?P<secret>{_WORD}{{50,90}})"),
    _rule("Stripe key", "sk_live_ rk_live_ sk_test_ rk_test_",
          rf"{_START}(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{{16,120}}"),
    _rule("SendGrid key", "sg.", rf"{_START}SG\.{_WORD}{{16,32}}\.{_WORD}{{32,64}}"),
    _rule("npm token", "npm_", rf"{_START}npm_[A-Za-z0-9]{{36}}(?![A-Za-z0-9])"),
    _rule("PyPI token", "pypi-age", rf"{_START}pypi-AgE{_WORD}{{40,400}}"),
    _rule("Docker token", "dckr_pat_ dckr_oat_", rf"dckr_[po]at_{_WORD}{{20,64}}"),
    _rule("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    _rule("Databricks token", "dapi", rf"{_START}dapi[0-9a-f]{{32}}(?:-\d)?(?![A-Za-z0-9])"),
    _rule("Azure storage key", "accountkey=",
          r"(?i:AccountKey)=(?P<secret>[A-Za-z0-9+/]{60,90}={0,2})"),
    _rule("Azure signature", "sig=", r"(?<=[?&])sig=(?P<secret>[A-Za-z0-9%]{40,120})"),
    _rule("Vault token", "hvs. hvb.", rf"{_START}hv[sb]\.{_WORD}{{24,300}}"),
    _rule("Grafana token", "glsa_ glc_", rf"{_START}gl(?:sa|c)_[A-Za-z0-9+/_-]{{30,400}}={{0,2}}"),
    _rule("Telegram token", ":aa", rf"(?<=\d{{8}}):(?P<secret>AA{_WORD}{{33}})(?![A-Za-z0-9_-])"),
    _rule("NVIDIA key", "nvapi-", rf"{_START}nvapi-{_WORD}{{40,100}}"),
    _rule("Groq key", "gsk_", rf"{_START}gsk_[A-Za-z0-9]{{40,64}}"),
    _rule("Replicate token", "r8_", rf"{_START}r8_[A-Za-z0-9]{{37}}(?![A-Za-z0-9])"),
    _rule("xAI key", "xai-", rf"{_START}xai-[A-Za-z0-9]{{60,100}}"),
    _rule("Linear key", "lin_api_", r"lin_api_[A-Za-z0-9]{32,64}"),
    _rule("Shopify token", "shpat_ shpss_ shpca_", r"shp(?:at|ss|ca)_[0-9a-fA-F]{32}"),
    _rule("age key", "age-secret-key-1", r"AGE-SECRET-KEY-1[0-9A-Z]{40,80}"),
    _rule("private key", "-----begin",
          r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"
          r"(?P<secret>(?:[A-Za-z0-9+/=:,.() \t\r\n]|\\{1,4}[nr]|-(?!----)){20,12000})"),
    _rule("JSON web token", "eyj",
          rf"{_START}eyJ{_WORD}{{12,2000}}\.eyJ{_WORD}{{12,6000}}\.{_WORD}{{20,1400}}"),
    _rule("password in a URL", "://",
          r"://[^\s/@:\"'\\<>]{0,80}:(?P<secret>[^\s/@:\"'\\<>{}$\[\]]{3,200})(?=@)"),
    _rule("token as the user of a URL", "://",
          rf"://(?P<secret>(?={_WORD}{{0,200}}[0-9])(?={_WORD}{{0,200}}[A-Za-z]){_WORD}{{20,200}})"
          r"(?=(?::[^\s/@\"'\\<>]{0,200})?@)"),
    _rule("bearer token", "bearer",
          r"(?i:bearer)[ \t]{1,4}(?P<secret>[A-Za-z0-9_.~+/-]{20,2000}={0,2})"),
    _rule("basic credentials", "authorization",
          rf"(?i:authorization){_QUOTE}?\s{{0,3}}:\s{{0,3}}{_QUOTE}?(?i:basic)[ \t]{{1,4}}"
          r"(?P<secret>[A-Za-z0-9+/]{12,400}={0,2})"),
    _rule("assigned secret", "password passwd secret api_key apikey access_token auth_token",
          r"(?i:password|passwd|secret|api_?key|access_token|auth_token)"
          rf"{_QUOTE}?\s{{0,3}}[:=]\s{{0,3}}{_QUOTE}"
          r"(?P<secret>(?=[^\"'\s\\]{0,120}\d)(?=[^\"'\s\\]{0,120}[A-Za-z])"
          rf"[^\"'\s\\{{}}<>$()\[\]]{{10,120}})(?={_QUOTE})"),
)  # fmt: skip
