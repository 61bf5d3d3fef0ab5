"""Secrets in URLs: passwords, tokens and keys, hidden in everything that leaves the process.

Messages, params, model cards, maps and the output of `gravecli config` reach people who have no
access to the database. When in doubt, too much is hidden rather than too little.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

HIDDEN = "***"

# Without a colon or without slashes a URL is mistyped, but its password is real.
_SCHEME = re.compile(r"[A-Za-z][\w+.-]*(?::/{1,3}|/{2,3}|:(?=[^/@]*:))")
_IN_TEXT = re.compile(r"[A-Za-z][\w+.-]*:/{1,3}[^\s\"'<>`]+")
_SECRET_NAME = (
    r"[\w.%-]*(?:pass|pwd|token|secret|credential|sig|auth|key|odbc_connect)[\w.%-]*(?:=|%3D)"
)
_BEGIN_OF_QUERY = re.compile(r"\?[\w.%-]+=")
_QUERY = re.compile(rf"([?&;#]|%3B|%26)({_SECRET_NAME})([^&;#]*)", re.IGNORECASE)
_PAIR_IN_TEXT = re.compile(r"(?i)\b(password|passwd|pwd|token|secret)=[^\s&;\"']+")
_LONG = 4  # characters of a secret that is hidden inside of words, too


def mask_url(url: str) -> str:
    """Hide the secrets of a URL: `postgresql://anna:***@host/runs?password=***`.

    Args:
        url: The URL, even a mistyped one: its password may contain `/`, `?`, `@` and blanks.
    """
    return "".join(HIDDEN if is_secret else part for part, is_secret in _parts(url))


def mask(text: str, *urls: str) -> str:
    """Hide the secrets of URLs in a text, for example in an error of another library.

    Args:
        text: The text.
        urls: URLs that it may quote. Their secrets are hidden everywhere, also without the URL or
            when they contain blanks.
    """
    for url in urls:
        text = text.replace(url, mask_url(url))
        for secret in _secrets(url):
            text = _without(secret, text)
    text = _IN_TEXT.sub(lambda found: mask_url(found[0]), text)
    return _PAIR_IN_TEXT.sub(lambda found: f"{found[1]}={HIDDEN}", text)


def _parts(url: str) -> Iterator[tuple[str, bool]]:
    """Split a URL into parts, and say of each whether it is secret."""
    scheme = _SCHEME.match(url)
    begin = scheme.end() if scheme else 0
    start, end = _password_span(url[begin:], is_web=url.lower().startswith("http"))
    start, end = start + begin, end + begin
    yield url[:start], False
    if end > start:
        yield url[start:end], True
    done = end
    for found in _QUERY.finditer(url, end):
        if found[3]:
            yield url[done : found.start(3)], False
            yield found[3], True
            done = found.end(3)
    yield url[done:], False


def _password_span(rest: str, *, is_web: bool) -> tuple[int, int]:
    """Find the password in what follows the scheme; an empty span if there is none.

    Examples:
        anna:pa/ss@host/runs -> pa/ss. bucket/a:b@c -> none, because `a:b@c` is a path.
        token@host -> token if it is a web address, else none, because `token` is a user.
    """
    query = _BEGIN_OF_QUERY.search(rest)
    at = rest.rfind("@", 0, query.start()) if query else rest.rfind("@")
    if at < 0:
        at = rest.rfind("@")
    first = re.split("[/@?]", rest, maxsplit=1)[0]
    if at < 0 or rest.startswith("["):  # an IPv6 address
        return 0, 0
    if ":" in first:
        return first.index(":") + 1, at
    return (0, at) if is_web and at == len(first) else (0, 0)


def _secrets(url: str) -> list[str]:
    """List the secrets of a URL as libraries may quote them, the longest first.

    A library that splits an unquoted password at its `@` or `/` takes the rest for a host.
    """
    whole = [part for part, is_secret in _parts(url) if is_secret]
    spelled = {form for part in whole for form in (part, unquote(part))}
    pieces = {piece for form in spelled for piece in re.split(r"[@/?:\s]", form)}
    return sorted(filter(None, spelled | pieces), key=len, reverse=True)


def _without(secret: str, text: str) -> str:
    if secret == HIDDEN:
        return text
    pattern = re.escape(secret)
    if len(secret) < _LONG:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    return re.sub(pattern, HIDDEN, text)
