"""Small randomly initialised checkpoints of real architectures, saved to folders as the Hub has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

COMMIT = "0123456789abcdef0123456789abcdef01234567"  # of what a Hub of the tests holds
LETTERS = "<pad> <s> </s> <unk> | E T A O N I H S R D L U M W C F G Y P B V K ' X J Q Z".split()  # noqa: SIM905


def put_in_cache(folder: Path, name: str) -> Path:
    """Copy a checkpoint to where the Hub's client keeps what it has downloaded; returns the copy's folder."""
    from huggingface_hub import constants

    own = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    (own / "refs").mkdir(parents=True)
    (own / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(folder, own / "snapshots" / COMMIT))


def save_whisper(folder: Path, multilingual: bool = False) -> Path:
    """A Whisper of two layers and 32 channels, with tiny.en's tokens, which name all languages."""
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    from mmdemo.models.speech.whisper_ctranslate2 import bundled_model

    torch.manual_seed(0)
    end = {"bos_token_id": 50256, "eos_token_id": 50256, "pad_token_id": 50256}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes = {"encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    config = WhisperConfig(
        vocab_size=51864, d_model=32, decoder_start_token_id=50257, **end, **heads, **sizes
    )
    model = WhisperForConditionalGeneration(config)
    facts = model.generation_config
    facts.is_multilingual, facts.no_timestamps_token_id = multilingual, 50362
    facts.alignment_heads, facts.forced_decoder_ids = [[1, 0], [1, 1]], None
    facts.suppress_tokens, facts.begin_suppress_tokens = None, None
    facts._from_model_config = False  # else it is made anew from the configuration, which knows less
    model.save_pretrained(folder)
    WhisperTokenizerFast(tokenizer_file=f"{bundled_model()}/tokenizer.json").save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


def save_polyglot(folder: Path, spoken: dict[str, Path]) -> Path:
    """A multilingual Whisper that hears a language, by its code, in each of two recordings."""
    from transformers import WhisperForConditionalGeneration

    from mmdemo.media.audio import decode_audio
    from mmdemo.models.device import decide_compute
    from mmdemo.models.speech.whisper_transformers import HubWhisper

    save_whisper(folder, multilingual=True)
    whisper = HubWhisper(str(folder), decide_compute("cpu"))
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    start = torch.tensor([[model.config.decoder_start_token_id]])
    heard = []  # what the decoder holds before it names the language
    for path in spoken.values():
        states = torch.from_numpy(whisper._encode_window(decode_audio(path))[0])
        decoder = model.get_decoder()
        with torch.no_grad():
            heard.append(decoder(input_ids=start, encoder_hidden_states=states).last_hidden_state[0, -1])
    first, second = (h.double() for h in heard)
    middle, apart = first + second, first - second
    apart -= middle * (apart @ middle) / (middle @ middle)  # so that one is as far on one side as the other
    with torch.no_grad():
        for code, side in zip(spoken, (4.0, -4.0), strict=True):
            token = whisper.hf_tokenizer.convert_tokens_to_ids(f"<|{code}|>")
            weight = model.get_input_embeddings().weight  # the output's are the same
            weight[token] = (side * apart / (apart @ apart)).float()
    model.save_pretrained(folder)
    return folder


def save_ctc(folder: Path) -> Path:
    """A wav2vec 2.0 of 32 channels whose letters are its channels: state i says letter i."""
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
    )

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=32,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(32,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    model = Wav2Vec2ForCTC(config)
    with torch.no_grad():
        model.lm_head.weight.copy_(8 * torch.eye(32))
        model.lm_head.bias.zero_()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def _save_words(folder: Path, start: str = "[CLS]", end: str = "[SEP]") -> int:
    """A tokeniser of letters that puts a start before and an end after each text; returns its size."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", start, *" abcdefghijklmnopqrstuvwxyz", end]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    ends = [(start, words.index(start)), (end, words.index(end))]
    made.post_processor = processors.TemplateProcessing(f"{start} $A {end}", special_tokens=ends)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": start, "eos_token": end}
    more = {"cls_token": start, "sep_token": end}
    PreTrainedTokenizerFast(tokenizer_object=made, **names, **more).save_pretrained(folder)
    return len(words)


TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**TEXT, "image_size": 32, "patch_size": 8}


def save_clip(folder: Path, dim: int = 16) -> Path:
    """A CLIP of two layers, 32 channels and a shared space of `dim`."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    torch.manual_seed(0)
    size = _save_words(folder)
    ids = {"bos_token_id": 2, "eos_token_id": size - 1, "pad_token_id": 0}
    config = CLIPConfig(
        text_config=TEXT | ids | {"vocab_size": size}, vision_config=VISION, projection_dim=dim
    )
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder
    )
    return folder


def save_siglip(folder: Path) -> Path:
    """A SigLIP of two layers and 32 channels."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(0)
    size = _save_words(folder)
    ids = {"bos_token_id": 2, "eos_token_id": size - 1, "pad_token_id": 0}
    SiglipModel(
        SiglipConfig(text_config=TEXT | ids | {"vocab_size": size}, vision_config=VISION)
    ).save_pretrained(folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def save_siglip2(folder: Path) -> Path:
    """A SigLIP 2 of two layers and 32 channels, which takes pictures of any shape as patches."""
    from transformers import Siglip2Config, Siglip2ImageProcessor, Siglip2Model

    torch.manual_seed(0)
    size = _save_words(folder)
    ids = {"bos_token_id": 2, "eos_token_id": size - 1, "pad_token_id": 0}
    vision = TEXT | {"patch_size": 8, "num_patches": 16}
    Siglip2Model(
        Siglip2Config(text_config=TEXT | ids | {"vocab_size": size}, vision_config=vision)
    ).save_pretrained(folder)
    Siglip2ImageProcessor(patch_size=8, max_num_patches=16).save_pretrained(folder)
    return folder


def save_blip_retrieval(folder: Path) -> Path:
    """BLIP's retrieval model with two layers and a shared space of 16."""
    from transformers import BlipConfig, BlipForImageTextRetrieval, BlipImageProcessor

    torch.manual_seed(0)
    BlipForImageTextRetrieval(_blip(folder, BlipConfig)).save_pretrained(folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def _blip(folder: Path, kind: type) -> object:
    size = _save_words(folder)
    ids = {"bos_token_id": 2, "eos_token_id": size - 1, "sep_token_id": size - 1, "pad_token_id": 0}
    text = TEXT | ids | {"vocab_size": size, "encoder_hidden_size": 32, "max_position_embeddings": 64}
    return kind(text_config=text, vision_config=VISION, projection_dim=16, image_text_hidden_size=16)


def save_clap(folder: Path) -> Path:
    """A CLAP with two short stages and a shared space of 16."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    torch.manual_seed(0)
    size = _save_words(folder)
    ids = {"bos_token_id": 2, "eos_token_id": size - 1, "pad_token_id": 0}
    audio = {
        "spec_size": 64,
        "num_mel_bins": 16,
        "hidden_size": 32,
        "patch_embeds_hidden_size": 16,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "num_hidden_layers": 2,
        "window_size": 4,
        "patch_size": 4,
        "patch_stride": [4, 4],
        "projection_dim": 16,
    }
    text = TEXT | ids | {"vocab_size": size, "projection_dim": 16, "max_position_embeddings": 80}
    ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=16)).save_pretrained(folder)
    ClapFeatureExtractor(feature_size=16, max_length_s=2, truncation="rand_trunc").save_pretrained(folder)
    return folder


def save_xclip(folder: Path) -> Path:
    """An X-CLIP of two layers over clips of four frames, with a shared space of 16."""
    from transformers import CLIPImageProcessor, XCLIPConfig, XCLIPModel

    torch.manual_seed(0)
    size = _save_words(folder)
    ids = {"bos_token_id": 2, "eos_token_id": size - 1, "pad_token_id": 0}
    mit = {
        "mit_hidden_size": 16,
        "mit_intermediate_size": 32,
        "mit_num_attention_heads": 2,
        "mit_num_hidden_layers": 1,
    }
    vision = VISION | mit | {"num_frames": 4}
    config = XCLIPConfig(
        text_config=TEXT | ids | {"vocab_size": size},
        vision_config=vision,
        projection_dim=16,
        prompt_num_attention_heads=2,
    )
    XCLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder
    )
    return folder


def save_videoprism(folder: Path) -> Path:
    """A VideoPrism of one layer of each kind over eight frames."""
    from transformers import VideoPrismClipModel, VideoPrismConfig

    torch.manual_seed(0)
    size = _save_words(folder)
    vision = TEXT | {
        "image_size": 32,
        "num_frames": 8,
        "tubelet_size": [1, 8, 8],
        "num_spatial_layers": 1,
        "num_temporal_layers": 1,
        "num_auxiliary_layers": 1,
    }
    text = TEXT | {"vocab_size": size, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 2}
    VideoPrismClipModel(VideoPrismConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    return folder


def save_blip(folder: Path) -> Path:
    """A BLIP of two layers that writes letters."""
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    torch.manual_seed(0)
    BlipForConditionalGeneration(_blip(folder, BlipConfig)).save_pretrained(folder)
    _save_processor(folder, BlipProcessor, BlipImageProcessor(size={"height": 32, "width": 32}))
    return folder


def _save_processor(folder: Path, kind: type, images: object) -> None:
    from transformers import AutoTokenizer

    kind(images, AutoTokenizer.from_pretrained(folder)).save_pretrained(folder)


def save_git(folder: Path, frames: int | None = None) -> Path:
    """A GIT of two layers that writes letters, of a picture or of so many frames."""
    from transformers import CLIPImageProcessor, GitConfig, GitForCausalLM, GitProcessor

    torch.manual_seed(0)
    size = _save_words(folder)
    ids = {"bos_token_id": 2, "eos_token_id": size - 1, "pad_token_id": 0}
    config = GitConfig(vision_config=VISION, vocab_size=size, num_image_with_embedding=frames, **(TEXT | ids))
    GitForCausalLM(config).save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    _save_processor(folder, GitProcessor, images)
    return folder


def save_smolvlm(folder: Path) -> Path:
    """A SmolVLM of two layers that answers in letters."""
    from tokenizers import AddedToken
    from transformers import (
        AutoTokenizer,
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    torch.manual_seed(0)
    _save_words(folder)
    words = AutoTokenizer.from_pretrained(folder)
    named = ("<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>", "<video>")
    words.add_tokens([AddedToken(name, special=True) for name in named])
    small = TEXT | {"num_key_value_heads": 2}
    text = small | {"model_type": "llama", "vocab_size": len(words), "pad_token_id": 0, "eos_token_id": 30}
    image = words.convert_tokens_to_ids("<image>")
    config = SmolVLMConfig(
        vision_config=VISION, text_config=text, image_token_id=image, scale_factor=2, pad_token_id=0
    )
    SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    side = {"longest_edge": 32}
    SmolVLMProcessor(
        SmolVLMImageProcessor(size=side, max_image_size=side, do_image_splitting=False),
        words,
        SmolVLMVideoProcessor(size=side, max_image_size=side),
        image_seq_len=4,
        chat_template="{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
        "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}<end_of_utterance>",
    ).save_pretrained(folder)
    return folder


def save_bert(folder: Path) -> Path:
    """A BERT of two layers and 32 channels, as the text side of a pair of towers."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    words = _save_words(folder)
    config = BertConfig(
        vocab_size=words,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def save_timm(folder: Path) -> Path:
    """A small ResNet of timm as its folders on the Hub are."""
    import timm

    torch.manual_seed(0)
    network = timm.create_model("test_resnet", pretrained=False)
    timm.models.save_for_hf(network, folder, safe_serialization=True)
    return folder
