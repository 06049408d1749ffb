"""Opens and seals with implementations that are not ours: Tink for the stream, cryptography for RSA-OAEP.

Written from docs/protocol.md, "Sealing". Reads one JSON object from standard input:
  {"mode": "open", "private_key": PEM, "context": str, "sealed": base64}
  {"mode": "seal", "public_key": PEM, "context": str, "plaintext": base64}
Writes the result in base64 to standard output.
"""
import base64
import hashlib
import io
import json
import os
import struct
import sys

import tink
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from tink import cleartext_keyset_handle, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


def primitive(data_key: bytes) -> streaming_aead.StreamingAead:
    """Tink's own AES256_GCM_HKDF_1MB with a key that we bring."""
    template = streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB
    key_format = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKeyFormat.FromString(template.value)
    key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
        version=0, params=key_format.params, key_value=data_key
    )
    assert key.params.hkdf_hash_type == common_pb2.SHA256
    keyset = tink_pb2.Keyset(primary_key_id=1)
    entry = keyset.key.add()
    entry.key_data.type_url = template.type_url
    entry.key_data.value = key.SerializeToString()
    entry.key_data.key_material_type = tink_pb2.KeyData.SYMMETRIC
    entry.status = tink_pb2.ENABLED
    entry.key_id = 1
    entry.output_prefix_type = tink_pb2.RAW
    handle = cleartext_keyset_handle.from_keyset(keyset)
    return handle.primitive(streaming_aead.StreamingAead)


def fingerprint(public_key) -> bytes:
    spki = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def associated_data(envelope: bytes, context: str) -> bytes:
    return hashlib.sha256(envelope).digest() + context.encode()


def open_sealed(request) -> bytes:
    private_key = serialization.load_pem_private_key(request["private_key"].encode(), None)
    sealed = base64.b64decode(request["sealed"])
    assert sealed[:4] == b"PWS1"
    assert sealed[4:36] == fingerprint(private_key.public_key())
    (length,) = struct.unpack(">H", sealed[36:38])
    envelope, stream = sealed[: 38 + length], sealed[38 + length :]
    data_key = private_key.decrypt(envelope[38:], OAEP)
    source = primitive(data_key).new_decrypting_stream(
        io.BytesIO(stream), associated_data(envelope, request["context"])
    )
    return source.read()


class Kept(io.BytesIO):
    """Tink closes what it writes to; the bytes are needed afterwards."""

    def close(self):
        pass


def seal(request) -> bytes:
    public_key = serialization.load_pem_public_key(request["public_key"].encode())
    data_key = os.urandom(32)
    wrapped = public_key.encrypt(data_key, OAEP)
    envelope = b"PWS1" + fingerprint(public_key) + struct.pack(">H", len(wrapped)) + wrapped
    target = Kept()
    with primitive(data_key).new_encrypting_stream(
        target, associated_data(envelope, request["context"])
    ) as stream:
        stream.write(base64.b64decode(request["plaintext"]))
    return envelope + target.getvalue()


streaming_aead.register()
request = json.load(sys.stdin)
result = open_sealed(request) if request["mode"] == "open" else seal(request)
sys.stdout.write(base64.b64encode(result).decode())
