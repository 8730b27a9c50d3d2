"""Makes an Ed25519 and an RSA key for one run: private halves for the client, the key file for the exchange."""

import json
import sys
from pathlib import Path

from Crypto.PublicKey import ECC, RSA

folder = Path(sys.argv[1])
entries = []
for name, key in (("ed25519", ECC.generate(curve="Ed25519")), ("rsa", RSA.generate(2048))):
    public = key.public_key().export_key(format="PEM")
    private = key.export_key(format="PEM") if name == "ed25519" else key.export_key(format="PEM", pkcs=8)
    entries.append({"api_key": name + "-key", "public_key": public if isinstance(public, str) else public.decode()})
    (folder / (name + ".pem")).write_text(private if isinstance(private, str) else private.decode())
(folder / "keys.json").write_text(json.dumps(entries))
