"""Makes pictures.json: python pictures.py

With Pillow 13: pictures as files of several kinds, and what the usual evaluation (the shorter edge to 32, the middle
28 × 28) makes of them: Pillow's bilinear resize, then a crop.
"""
import base64
import io
import json

import numpy as np
from PIL import Image

y, x = np.mgrid[0:75, 0:100]
smooth = np.stack([128 + 100 * np.sin(x / 17), 128 + 100 * np.cos(y / 13), (x + y) * 255 / 173], -1).astype(np.uint8)
colour = Image.fromarray(smooth)


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


cases = {
    "jpeg": encoded(colour, "JPEG", quality=95),
    "progressive": encoded(colour, "JPEG", quality=95, progressive=True),
    "grey": encoded(colour.convert("L"), "JPEG", quality=95),
    "cmyk": encoded(colour.convert("CMYK"), "JPEG", quality=95),
    "png": encoded(colour, "PNG"),
    "tall": encoded(colour.crop((0, 0, 40, 75)), "JPEG", quality=95),
    "small": encoded(colour.crop((0, 0, 24, 24)), "PNG"),
}
out = []
for name, content in cases.items():
    p = Image.open(io.BytesIO(content)).convert("RGB")
    w, h = p.size
    short = min(w, h)
    p = p.resize((int(32 * w / short), int(32 * h / short)), Image.BILINEAR)
    left, top = round((p.width - 28) / 2), round((p.height - 28) / 2)
    p = p.crop((left, top, left + 28, top + 28))
    out.append({"name": name, "file": base64.b64encode(content).decode(), "pixels": base64.b64encode(np.asarray(p).tobytes()).decode()})
json.dump(out, open("pictures.json", "w"), separators=(",", ":"))
