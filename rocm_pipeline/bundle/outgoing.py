"""A bundle's files on their way out: no secret is in them, and they still fit together."""

from rocm_pipeline.bundle.contents import Bundle, parse
from rocm_pipeline.bundle.folder import BundleRefused
from rocm_pipeline.errors import UserError
from rocm_pipeline.redaction.process import clean_bytes


def outgoing_files(bundle: Bundle) -> dict[str, bytes]:
    """Return every file by path, redacted before any hash of it is taken, SHA256SUMS left out.

    UserError where a secret stands in what was judged: without it, it is not what was judged.
    """
    files = bundle.files()
    clean = {path: clean_bytes(content) for path, content in files.items()}
    changed = sorted(path for path in files if clean[path] != files[path])
    if changed:
        try:
            parse(clean, bundle.candidate.id)
        except BundleRefused as error:
            raise UserError(
                f"a secret stands in what was judged ({', '.join(changed)})",
                where=bundle.candidate.id,
                fix="Take it out of the target or the kernel, judge again, and replace the secret.",
            ) from error
    return clean
