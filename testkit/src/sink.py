"""A real SMTP server for tests: takes mails and prints one line of JSON for each.

Its settings are one JSON argument. The first line it prints is its port; it ends with its input.
A recipient whose address begins with a number is answered with that number.
"""

import asyncio
import json
import re
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

settings = json.loads(sys.argv[1])


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        code = re.match(r"\d{3}", address)
        if code:
            return f"{code[0]} 5.1.1 <{address}> says no, see https://sink.example/why?{address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        seen = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("ascii"),
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "hello": session.host_name,
            "user": session.auth_data.login.decode() if session.authenticated else None,
        }
        print(json.dumps(seen), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = [data.login.decode(), data.password.decode()] == settings["login"]
    return AuthResult(success=good, handled=False, auth_data=data)


async def main():
    context = None
    if settings["tls"] != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings["certificate"])
    login = settings["login"] is not None
    starttls = settings["tls"] == "starttls"

    def protocol():
        return SMTP(
            Handler(),
            hostname="sink.example",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate if login else None,
            auth_required=login,
            auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    at_once = context if settings["tls"] == "at_once" else None
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=at_once)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
