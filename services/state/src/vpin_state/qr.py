"""QR codes of texts as pictures."""

from __future__ import annotations

from io import BytesIO

SIZE = 250
"""Width and height in pixels (spec 02, 3.5)."""
BORDER = 4
"""Quiet zone in modules, as the standard asks for."""


def jpeg(text: str, size: int = SIZE) -> bytes:
    """The code of a text, `size` pixels wide and high (or more where it would have less than one per module)."""
    import segno  # both take longer to import than the state service to start
    from PIL import Image

    code = segno.make(text, micro=False, error="m")
    matrix = list(code.matrix_iter(border=BORDER))
    modules = len(matrix)
    scale = max(1, size // modules)
    side = max(size, modules)
    small = Image.new("L", (modules, modules))
    small.putdata([0 if dark else 255 for row in matrix for dark in row])
    picture = Image.new("L", (side, side), 255)
    offset = (side - modules * scale) // 2
    picture.paste(small.resize((modules * scale, modules * scale), Image.Resampling.NEAREST), (offset, offset))
    out = BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()
