"""Each target's secrets become a credential of its own, with the origins that the target leads to.

No key is needed: the sealed text is bound to the uid of its row, which the credential takes over.
"""

from urllib.parse import urlsplit

from django.db import migrations, models

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "grpc": 80, "grpcs": 443}
TLS = {"https", "wss", "grpcs"}


def origin_of(url):
    """None for what has no fixed origin: a path, a template, or no URL at all."""
    if not isinstance(url, str) or "{{" in url.split("://", 1)[-1].split("/", 1)[0]:
        return None
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode().rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not host or port == 0:
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if parts.scheme in TLS else 'http'}://{shown}:{port or PORTS[parts.scheme]}"


def merged(target):
    """Its overrides over its preset; the overrides alone if there is no such preset any more."""
    from connectors.spec import SpecError, load_preset, merge

    overrides = target.overrides if isinstance(target.overrides, dict) else {}
    try:
        preset = load_preset(target.preset)
    except SpecError:
        return overrides
    streamed = preset.pop("stream", None)
    return merge(merge(preset, streamed) if target.stream and streamed else preset, overrides)


def part(data, name, kind):
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, kind) else kind()


def origins_of(target):
    """Of its address, of handshake steps elsewhere, of Host headers, of its proxy."""
    data = merged(target)
    steps = [step for step in part(part(data, "handshake", dict), "steps", list) if isinstance(step, dict)]
    asked = [(target.url, part(data, name, dict)) for name in ("request", "standing")]
    asked += [(step["url"] if "://" in str(step.get("url")) else target.url, step) for step in steps]
    urls = [url for url, _ in asked]
    for url, request in asked:
        hosts = [value for name, value in part(request, "headers", dict).items() if name.lower() == "host"]
        urls += [f"{str(url).partition('://')[0]}://{host}" for host in hosts]
    urls.append(part(data, "proxy", dict).get("url"))
    return list(dict.fromkeys(origin for url in urls if (origin := origin_of(url))))


def move_secrets(apps, schema_editor):
    Target = apps.get_model("targets", "Target")
    Credential = apps.get_model("targets", "Credential")
    for target in Target.objects.exclude(sealed_secrets=""):
        target.credential = Credential.objects.create(
            uid=target.uid, name=target.name, origins=origins_of(target), sealed_secrets=target.sealed_secrets
        )
        target.save(update_fields=["credential"])


def put_back(apps, schema_editor):
    """Only those of one target each: the text is bound to its uid."""
    Target = apps.get_model("targets", "Target")
    for target in Target.objects.filter(credential__uid=models.F("uid")).select_related("credential"):
        target.sealed_secrets = target.credential.sealed_secrets
        target.save(update_fields=["sealed_secrets"])


class Migration(migrations.Migration):

    dependencies = [
        ("targets", "0003_credentials"),
    ]

    operations = [
        migrations.RunPython(move_secrets, put_back),
    ]
