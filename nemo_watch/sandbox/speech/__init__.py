"""What is said in a sound, with the optional extra [captions]: recognised in a child process, made into cues."""

from nemo_watch.sandbox.speech.cueing import Word, cues_of
from nemo_watch.sandbox.speech.listening import Heard, SpeechError, listen
from nemo_watch.sandbox.speech.recogniser import EXTRA, NoRecogniser, Recogniser, find_recogniser

__all__ = [
    "EXTRA",
    "Heard",
    "NoRecogniser",
    "Recogniser",
    "SpeechError",
    "Word",
    "cues_of",
    "find_recogniser",
    "listen",
]
