"""Whisper through transformers: any size or language from the Hub or a folder, and what LoRA can train.

It answers what the CTranslate2 recogniser answers, by the same rules; only the network is PyTorch's, so that
its weights can be adapted (Hu et al. 2021, arXiv:2106.09685) and it runs wherever PyTorch does. Word times
come from the cross-attention of the alignment heads, normalised and median-filtered, by dynamic time warping,
as in Whisper's own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmdemo.heavy_imports import heavy
from mmdemo.media.audio import RATE_HZ
from mmdemo.media.voice_activity import speech_windows
from mmdemo.models.device import Compute
from mmdemo.models.hub.loading import load_config, load_network, load_part, load_tokenizer
from mmdemo.models.presets import Preset
from mmdemo.models.speech.recogniser import Segment, SpeechRecogniser, sentences
from mmdemo.models.speech.whisper import ENGLISH, NOT_SPOKEN, WhisperRecogniser

STATES = 1500  # what the encoder makes of 30 s
FILTER = 7  # states, of the median filter
NEW_TOKENS = 224  # of a window at most
TOKENS_PER_S = 12  # nobody speaks faster: what is longer is a loop


@dataclass(frozen=True)
class TokenAlignment:
    """Where tokens lie in the sound, and how likely each is."""

    alignments: np.ndarray  # (A, 2) int64: token, state
    text_token_probs: np.ndarray  # (L,) float64


def load_whisper(name: str, adapter: str = "", device: torch.device | None = None) -> Any:
    """A Whisper of transformers by its Hub id or folder, with an adapter merged into it.

    Raises:
        UserError: it cannot be loaded; the sentence says what was looked for.
    """
    device = device or torch.device("cpu")
    return load_network("WhisperForConditionalGeneration", name, device, adapter, attn_implementation="eager")


class HubWhisper(WhisperRecogniser):
    """A Whisper of transformers.

    Args:
        name: a Hub id or a folder.
        compute: where it runs.
        adapter: the folder of a LoRA adapter; empty: none.
    """

    def __init__(self, name: str, compute: Compute, adapter: str = "") -> None:
        self._model = load_whisper(name, adapter, compute.device)
        self._compute = compute
        self._features = load_part("WhisperFeatureExtractor", name)
        self.hf_tokenizer = load_tokenizer(name)
        facts = self._model.generation_config
        super().__init__(self.hf_tokenizer.backend_tokenizer, bool(getattr(facts, "is_multilingual", False)))
        known = self.hf_tokenizer.get_vocab()
        # What older checkpoints call captions; one that has neither (id of padding) never says it.
        self._no_speech = known.get("<|nospeech|>", known.get("<|nocaptions|>", self._tokenizer.eot))
        self._languages = languages_of(self.hf_tokenizer) if self.multilingual else {}
        if self.multilingual and not getattr(facts, "lang_to_id", None):  # of a checkpoint saved long ago
            tasks = ("transcribe", "translate")
            facts.lang_to_id = {f"<|{code}|>": token for code, token in self._languages.items()}
            facts.task_to_id = {t: self.hf_tokenizer.convert_tokens_to_ids(f"<|{t}|>") for t in tasks}
        self._heads = self._alignment_heads(getattr(facts, "alignment_heads", None))

    @property
    def network(self) -> Any:
        """The network of transformers beneath."""
        return self._model

    @property
    def parts(self) -> tuple[Any, Any]:
        """What is saved beside the network."""
        return self._features, self.hf_tokenizer

    def _alignment_heads(self, given: Sequence[Sequence[int]] | None) -> list[tuple[int, int]]:
        """(layer, head) whose attention follows the sound; unknown: all heads of the upper half."""
        config = self._model.config
        if given:
            return [(int(layer), int(head)) for layer, head in given]
        upper = range(config.decoder_layers // 2, config.decoder_layers)
        return [(layer, head) for layer in upper for head in range(config.decoder_attention_heads)]

    def mel(self, samples: np.ndarray) -> Tensor:
        """(1, M, 3000) log-mel spectrogram of at most 30 s, padded."""
        out = self._features(samples, sampling_rate=RATE_HZ, return_tensors="pt")
        return out.input_features.to(self._compute.device)

    @torch.inference_mode()
    def _encode_window(self, samples: np.ndarray) -> tuple[np.ndarray, int]:
        with self._lock, self._compute.autocast():
            states = self._model.get_encoder()(self.mel(samples)).last_hidden_state
        return states.float().cpu().numpy(), min(2 * STATES, len(samples) * 100 // RATE_HZ)

    def _quick_transcript(self, padded: np.ndarray, seconds: float, language: str) -> str:
        if self._at_start(padded)[self._no_speech].item() >= NOT_SPOKEN:
            return ""
        ids = self._generate(padded, (), seconds, language)
        return str(self._tokenizer.decode(ids)).strip()

    @torch.inference_mode()
    def _generate(
        self, padded: np.ndarray, vocabulary: Sequence[str], seconds: float, language: str
    ) -> list[int]:
        """The tokens of the text that (1, 1500, d) states of so many seconds of sound hold."""
        states = torch.from_numpy(padded).to(self._compute.device)
        how: dict[str, Any] = {"max_length": min(NEW_TOKENS, 10 + int(seconds * TOKENS_PER_S))}
        if self.multilingual:
            how |= {"task": "transcribe", "language": language or ENGLISH}
        if vocabulary:
            prompt = self.hf_tokenizer.get_prompt_ids(" ".join(vocabulary), return_tensors="pt")
            how |= {"prompt_ids": prompt[: NEW_TOKENS - 10].to(self._compute.device)}
        outputs = heavy("transformers.modeling_outputs")
        with self._lock, self._compute.autocast():
            found = self._model.generate(
                encoder_outputs=outputs.BaseModelOutput(last_hidden_state=states), **how
            )
        ids = [int(i) for i in found[0]]
        if vocabulary and self._tokenizer.sot in ids:
            ids = ids[ids.index(self._tokenizer.sot) :]  # the prompt is returned as well
        return [i for i in ids if i < self._tokenizer.eot]

    def _transcribe_piece(
        self, samples: np.ndarray, offset_s: float, vocabulary: Sequence[str], language: str
    ) -> list[Segment]:
        segments: list[Segment] = []
        for start, end in speech_windows(samples):
            part = samples[start:end]
            padded, _ = self._encode_window(part)
            ids = self._generate(padded, vocabulary, len(part) / RATE_HZ, language)
            text = str(self._tokenizer.decode(ids)).strip()
            if text:
                segments += sentences(self.align_words(part, text, offset_s + start / RATE_HZ, language))
        return segments

    @torch.inference_mode()
    def _at_start(self, padded: np.ndarray) -> Tensor:
        """(V,) float32 probabilities of the first token, which says the language or that nobody speaks."""
        states = torch.from_numpy(padded).to(self._compute.device)
        start = torch.tensor([[self._tokenizer.sot]], device=self._compute.device)
        with self._lock, self._compute.autocast():
            made = self._model.get_decoder()(input_ids=start, encoder_hidden_states=states, use_cache=False)
            logits: Tensor = self._model.proj_out(made.last_hidden_state[0, -1])
        return logits.float().softmax(-1)

    def _hear(self, padded: np.ndarray) -> str:
        found = self._at_start(padded)
        return max(self._languages, key=lambda code: float(found[self._languages[code]]))

    @torch.inference_mode()
    def _align(
        self, window: np.ndarray, ids: Sequence[Sequence[int]], language: str = "", times: bool = False
    ) -> list[TokenAlignment]:
        device = self._compute.device
        first = [*self._in(language).sot_sequence, self._tokenizer.no_timestamps]
        states = torch.from_numpy(window[None].astype(np.float32)).to(device)
        out: list[TokenAlignment] = []
        for begin in range(0, len(ids), 64):
            part = ids[begin : begin + 64]
            longest = max(len(i) for i in part)
            rows = [[*first, *i, *[self._tokenizer.eot] * (longest + 1 - len(i))] for i in part]
            tokens = torch.tensor(rows, device=device)  # (B, S): what follows a text's end is not looked at
            with self._lock, self._compute.autocast():
                made = self._model.get_decoder()(
                    input_ids=tokens,
                    encoder_hidden_states=states.expand(len(part), -1, -1),
                    output_attentions=times,
                    use_cache=False,
                )
                logits = self._model.proj_out(made.last_hidden_state[:, len(first) - 1 :])
            known = logits.float().log_softmax(-1)[:, :-1].gather(2, tokens[:, len(first) :, None])[..., 0]
            for row, own in enumerate(part):
                path = np.empty((0, 2), np.int64)
                if times:
                    heads = [made.cross_attentions[layer][row, head] for layer, head in self._heads]
                    path = self._path(torch.stack(heads)[:, : len(first) + len(own) + 1], len(first))
                out.append(TokenAlignment(path, known[row, : len(own)].exp().double().cpu().numpy()))
        return out

    @staticmethod
    def _path(attention: Tensor, prompt: int) -> np.ndarray:
        """(A, 2) token and state along the best path through (H, S, T) attention."""
        whisper = heavy("transformers.models.whisper.generation_whisper")
        std, mean = torch.std_mean(attention.float(), dim=-2, keepdim=True, unbiased=False)
        smooth = whisper._median_filter((attention.float() - mean) / std.clamp(min=1e-6), FILTER)
        matrix = smooth.mean(0)[prompt - 1 : -1]  # the row that predicts a token says where it is
        token, state = whisper._dynamic_time_warping(-matrix.double().cpu().numpy())
        return np.column_stack([token, state])


def languages_of(tokenizer: Any) -> dict[str, int]:
    """The token of each language that a multilingual Whisper knows, by its code."""
    known = tokenizer.get_vocab()
    codes = heavy("faster_whisper.tokenizer")._LANGUAGE_CODES
    return {code: known[f"<|{code}|>"] for code in codes if f"<|{code}|>" in known}


def feature_size(name: str) -> int:
    """The width of a Hub model's encoder states, from its configuration alone.

    Raises:
        UserError: there is no such model.
    """
    config = load_config(name)
    return int(getattr(config, "d_model", 0) or config.hidden_size)


def open_preset(preset: Preset, compute: Compute, threads: int) -> SpeechRecogniser:
    """The recogniser of a preset, with its adapter merged where it has one.

    Raises:
        UserError: its weights are not at hand and cannot be fetched.
    """
    return HubWhisper(preset.media_tower, compute, preset.adapter)
