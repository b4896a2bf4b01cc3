"""The claims of a federated token in few bytes: JSON, compressed by DEFLATE (RFC 1951) with a dictionary that all clouds have. Pure.

A token goes along with every request, HAProxy copies it letter by letter, and uWSGI refuses heads over 4 KiB. Most of the claims' JSON is names
that stand in every token; what is left of it are ids, and the sealed token, whose base64 DEFLATE undoes. Nothing in here is a secret that somebody
could guess from a length: who sees a token whole may read it, and what is sealed was encrypted before.
"""

import zlib
from typing import Final

# Part of the format, to the byte. What is likelier stands later: it is nearer to what is compressed.
_DICTIONARY: Final = (
    b'"load-balancer_member","heat_stack_owner","creator","manager","admin","block-storage":"network":"compute":"image":"act":{"sub":"'
    b'{"iss":"","aud":"","sub":"","iat":1,"exp":1,"jti":"","user":{"name":"","domain":{"id":"default","name":"Default"}},'
    b'"project":{"id":"","name":"","domain":{"id":"default","name":"Default"}},"roles":["member","reader"],'
    b'"os_scope":{"*":"","identity":""},"agreement":"","home":"'
)
# Bytes of JSON: the most roles with the longest names and the largest scope have less. The claims are read before their signature is.
_MAX_BYTES: Final = 32768


def pack(text: bytes) -> bytes:
    """The JSON of claims in fewer bytes."""
    packer = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS, zdict=_DICTIONARY)
    return packer.compress(text) + packer.flush()


def unpack(data: bytes) -> bytes:
    """The JSON of claims again.

    Raises:
        ValueError: the bytes are not whole, more than whole, or would be more than 32 KiB.
    """
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS, zdict=_DICTIONARY)
    try:
        text = unpacker.decompress(data, _MAX_BYTES)
    except zlib.error:
        raise ValueError("not compressed as claims are") from None
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("cut, stretched, or too large")
    return text
