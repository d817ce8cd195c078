"""Checkpoints are C2SP signed notes, which others can verify, and nothing but their text is signed by nobody but the key."""

import stat
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from replay.audit import verifier
from replay.audit.auditor import signing_key
from replay.audit.errors import KeyUnusable, NoteMalformed
from replay.audit.notes import Checkpoint, PublicKey, SigningKey, parse, signed_by

KEY = SigningKey("example.com/log", bytes(range(32)))
ROOT = bytes(range(32, 64))
RFC_8032 = (
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
)  # fmt: skip
"""Public key, message and signature of §7.1, tests 1 to 3."""


def test_a_checkpoint_is_origin_size_root_and_signature() -> None:
    text, _, signatures = KEY.sign(7, ROOT).partition("\n\n")
    assert text.split("\n") == ["example.com/log", "7", b64encode(ROOT).decode()]
    assert signatures.startswith("\u2014 example.com/log ")
    assert signatures.endswith("\n")
    assert parse(KEY.sign(7, ROOT)) == Checkpoint("example.com/log", 7, ROOT)


def test_a_published_signed_note_verifies() -> None:
    key = PublicKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    note = (
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    assert signed_by(note, [KEY.public, key]) == key
    assert signed_by(note.replace("answer", "source"), [key]) is None


def test_keys_survive_being_written_down() -> None:
    assert PublicKey.parse(str(KEY.public)) == KEY.public
    assert SigningKey.parse(KEY.line()).sign(7, ROOT) == KEY.sign(7, ROOT)


@pytest.mark.parametrize(
    "text", ["", "x", "a+b+c", str(KEY.public).replace("+", "-"), str(KEY.public)[:-4], KEY.line().replace("PRIVATE", "PUBLIC")]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyUnusable):
        SigningKey.parse(text)
    with pytest.raises(KeyUnusable):
        PublicKey.parse("x" + text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n",
        "a\nb\nc\n\n",
        "a\n1\n\n\n",
        f"a\n-1\n{b64encode(ROOT).decode()}\n",
        f"a\n01\n{b64encode(ROOT).decode()}\n",
        "a\n1\nAAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteMalformed):
        parse(text)


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_verifier_that_stands_alone_knows_the_vectors_of_its_standard(public: str, message: str, signature: str) -> None:
    key, text, signed = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert verifier.ed25519(key, text, signed)
    assert not verifier.ed25519(key, text + b"x", signed)


@given(secret=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), bit=st.integers(0, 511))
def test_it_agrees_with_a_library_and_no_bit_of_a_signature_may_change(secret: bytes, message: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    public, signature = key.public_key().public_bytes_raw(), bytearray(key.sign(message))
    assert verifier.ed25519(public, message, bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verifier.ed25519(public, message, bytes(signature))


@given(size=st.integers(0, 2**53), root=st.binary(min_size=32, max_size=32))
def test_both_verifiers_take_every_checkpoint_of_the_key_and_none_of_another(size: int, root: bytes) -> None:
    note = KEY.sign(size, root)
    other = SigningKey("example.com/log", b"other" + bytes(27)).public
    assert verifier.checkpoint(note, str(KEY.public)) == (size, root)
    assert signed_by(note, [KEY.public]) == KEY.public
    assert signed_by(note, [other]) is None
    with pytest.raises(verifier.Failed):
        verifier.checkpoint(note, str(other))


@given(at=st.integers(0, 10_000), character=st.sampled_from("0a/+\n "))
def test_no_character_of_what_is_signed_may_change(at: int, character: str) -> None:
    note = KEY.sign(123_456, ROOT)
    end = note.index("\n\n") + 1
    changed = note[: at % end] + character + note[at % end + 1 :]
    if changed != note:
        assert signed_by(changed, [KEY.public]) is None


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    made = signing_key(tmp_path / "audit.key")
    assert stat.S_IMODE((tmp_path / "audit.key").stat().st_mode) == 0o600
    assert signing_key(tmp_path / "audit.key").public == made.public
