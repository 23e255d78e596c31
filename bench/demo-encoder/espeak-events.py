"""Speaks with libespeak-ng and tells when each phoneme begins.

The espeak-ng command has no output for that, only the library has. Reads JSON
lines {"voice", "rate", "pitch", "text"} from stdin. Per line it writes to
stdout a line of JSON {"sampleRate", "samples", "phonemes": [[ms, ipa], ...]}
and then `samples` 16-bit little-endian samples.
"""

import ctypes
import ctypes.util
import json
import sys

AUDIO_OUTPUT_SYNCHRONOUS = 2
PHONEME_EVENTS, PHONEME_IPA, DONT_EXIT = 0x1, 0x2, 0x8000
RATE, PITCH = 1, 3
CHARS_UTF8 = 1
PHONEME = 7


class Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", Id),
    ]


Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


def main():
    espeak = ctypes.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
    options = PHONEME_EVENTS | PHONEME_IPA | DONT_EXIT
    sample_rate = espeak.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, None, options)
    audio, phonemes = bytearray(), []

    @Callback
    def on_speech(samples, count, events):
        if samples and count > 0:
            audio.extend(ctypes.string_at(samples, count * 2))
        i = 0
        while events[i].type:
            if events[i].type == PHONEME:
                ipa = events[i].id.string.decode("utf-8", "ignore")
                phonemes.append([events[i].audio_position, ipa])
            i += 1
        return 0

    espeak.espeak_SetSynthCallback(on_speech)
    for line in sys.stdin:
        order = json.loads(line)
        audio.clear()
        phonemes.clear()
        if espeak.espeak_SetVoiceByName(order["voice"].encode()) != 0:
            sys.exit("espeak-ng has no voice " + order["voice"])
        espeak.espeak_SetParameter(RATE, order["rate"], 0)
        espeak.espeak_SetParameter(PITCH, order["pitch"], 0)
        text = order["text"].encode() + b"\0"
        espeak.espeak_Synth(text, len(text), 0, 0, 0, CHARS_UTF8, None, None)
        head = {"sampleRate": sample_rate, "samples": len(audio) // 2, "phonemes": phonemes}
        sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + bytes(audio))
        sys.stdout.buffer.flush()


main()
