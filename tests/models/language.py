"""Networks of transformers, for text, sound and pictures, with few narrow layers."""

import torch
import transformers as t
from torch import nn

from network import NEW, OLD, Named, Network, floats, ints, ones

BOTH = (OLD, NEW)
N, WORDS, VOCABULARY = 1, 7, 99
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2,
         "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 40}
OPEN = {0: "batch", 1: "words"}
TEXT = {"input_ids": ints(VOCABULARY, N, WORDS), "attention_mask": ones(N, WORDS)}
OPEN_TEXT = {name: OPEN for name in TEXT}
STATE = ("last_hidden_state",)
NETWORKS = {}


def add(name, make, inputs, results=STATE, exporters=(OLD,), free=None, **fixed):
    """`make` gives a module of transformers, which takes `inputs` by name."""
    NETWORKS[name] = Network(lambda: Named(make(), list(inputs), results, **fixed), inputs,
                             exporters, free)


def text(name, config, exporters=(OLD,), results=STATE, model=t.AutoModel, cached=False, **options):
    fixed = {"use_cache": False} if cached else {}
    add(name, lambda: model.from_config(config(**options), attn_implementation="eager"), TEXT,
        results, exporters, OPEN_TEXT, **fixed)


def picture(name, config, size=32, exporters=(OLD,), results=STATE, model=t.AutoModel, **options):
    add(name, lambda: model.from_config(config(**options)),
        {"pixel_values": floats(N, 3, size, size)}, results, exporters)


# ---- encoders of text ----

text("BERT", t.BertConfig, BOTH, **SMALL)
text("BERT, classifier", t.BertConfig, model=t.AutoModelForSequenceClassification,
     results=("logits",), **SMALL)
text("RoBERTa", t.RobertaConfig, BOTH, **SMALL)
text("ALBERT", t.AlbertConfig, embedding_size=16, **SMALL)
text("ELECTRA", t.ElectraConfig, embedding_size=16, **SMALL)
text("DistilBERT", t.DistilBertConfig, BOTH, vocab_size=VOCABULARY, dim=32, hidden_dim=64,
     n_layers=2, n_heads=4, max_position_embeddings=40)
text("MPNet", t.MPNetConfig, **SMALL)
text("DeBERTa v2", t.DebertaV2Config, relative_attention=True, pos_att_type=["c2p", "p2c"],
     max_relative_positions=16, type_vocab_size=0, **SMALL)
text("MobileBERT", t.MobileBertConfig, embedding_size=32, true_hidden_size=32,
     intra_bottleneck_size=32, **SMALL)
text("SqueezeBERT", t.SqueezeBertConfig, embedding_size=32, **SMALL)
text("ConvBERT", t.ConvBertConfig, embedding_size=32, **SMALL)
text("XLM-RoBERTa", t.XLMRobertaConfig, **SMALL)
text("CamemBERT, for masked words", t.CamembertConfig, model=t.AutoModelForMaskedLM,
     results=("logits",), **SMALL)
text("ModernBERT", t.ModernBertConfig, pad_token_id=0, bos_token_id=1, eos_token_id=2,
     cls_token_id=1, sep_token_id=2, **SMALL)

# ---- decoders of text ----

text("OPT", t.OPTConfig, BOTH, cached=True, vocab_size=VOCABULARY, hidden_size=32, ffn_dim=64,
     num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=40,
     word_embed_proj_dim=32)
text("GPT-2", t.GPT2Config, BOTH, cached=True, vocab_size=VOCABULARY, n_embd=32, n_layer=2,
     n_head=4, n_positions=40)
text("GPT-Neo", t.GPTNeoConfig, cached=True, vocab_size=VOCABULARY, hidden_size=32, num_layers=2,
     num_heads=4, max_position_embeddings=40, attention_types=[[["global", "local"], 1]])
text("GPT-NeoX", t.GPTNeoXConfig, cached=True, **SMALL)
text("BLOOM", t.BloomConfig, cached=True, vocab_size=VOCABULARY, hidden_size=32, n_layer=2,
     n_head=4)
text("Llama", t.LlamaConfig, BOTH, cached=True, num_key_value_heads=2, **SMALL)
text("Mistral", t.MistralConfig, cached=True, num_key_value_heads=2, **SMALL)
text("Qwen2", t.Qwen2Config, cached=True, num_key_value_heads=2, **SMALL)
text("Gemma", t.GemmaConfig, cached=True, num_key_value_heads=2, head_dim=8, **SMALL)
text("Phi", t.PhiConfig, cached=True, **SMALL)
text("Falcon", t.FalconConfig, cached=True, **SMALL)


class Stepped(nn.Module):
    """A word of GPT-2 with the keys and values of those before it; it returns them and its own."""

    def __init__(self):
        super().__init__()
        self.module = t.AutoModelForCausalLM.from_config(
            t.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=40),
            attn_implementation="eager")

    def forward(self, input_ids, *past):
        cache = t.DynamicCache()
        for i in range(2):
            cache.update(past[2 * i], past[2 * i + 1], i)
        record = self.module(input_ids=input_ids, past_key_values=cache, use_cache=True)
        layers = record.past_key_values.layers
        return (record.logits, *(x for layer in layers for x in (layer.keys, layer.values)))


PAST = {f"past_{kind}_{i}": floats(N, 4, WORDS, 8) for i in range(2) for kind in ("key", "value")}
NETWORKS["GPT-2, one word and its cache"] = Network(
    Stepped, {"input_ids": ints(VOCABULARY, N, 1), **PAST}, (OLD,),
    {name: {0: "batch", 2: "before"} for name in PAST})

# ---- from text to text ----

T5 = {"vocab_size": VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2,
      "num_heads": 4}
STATES = {"encoder_hidden_states": floats(N, WORDS, 32)}
add("T5, encoder", lambda: t.T5EncoderModel(t.T5Config(**T5)), TEXT, STATE, BOTH, OPEN_TEXT)
add("T5, decoder", lambda: t.T5Model(t.T5Config(**T5)).decoder,
    {"input_ids": ints(VOCABULARY, N, 5), **STATES}, use_cache=False)
add("T5", lambda: t.T5ForConditionalGeneration(t.T5Config(decoder_start_token_id=0, **T5)),
    {**TEXT, "decoder_input_ids": ints(VOCABULARY, N, 5)}, ("logits",), use_cache=False)
BART = {"vocab_size": VOCABULARY, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
        "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64, "max_position_embeddings": 40}
add("BART", lambda: t.BartModel(t.BartConfig(**BART)),
    {**TEXT, "decoder_input_ids": ints(VOCABULARY, N, 5)}, use_cache=False)
add("Marian, encoder", lambda: t.MarianModel(t.MarianConfig(
    pad_token_id=0, decoder_start_token_id=0, **BART)).get_encoder(), TEXT)

# ---- sound ----

WHISPER = {"vocab_size": VOCABULARY, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
           "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64,
           "decoder_ffn_dim": 64, "max_source_positions": 30, "max_target_positions": 40,
           "num_mel_bins": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
           "decoder_start_token_id": 1}
add("Whisper, encoder", lambda: t.WhisperModel(t.WhisperConfig(**WHISPER)).encoder,
    {"input_features": floats(N, 16, 60)}, STATE, BOTH)
add("Whisper, decoder", lambda: t.WhisperModel(t.WhisperConfig(**WHISPER)).decoder,
    {"input_ids": ints(VOCABULARY, N, 5), "attention_mask": ones(N, 5),
     "encoder_hidden_states": floats(N, 30, 32)}, use_cache=False)
SPEECH = {"vocab_size": 32, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
          "intermediate_size": 64, "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16,
          "num_conv_pos_embedding_groups": 4}
SOUND = {"input_values": floats(N, 4000)}
add("Wav2Vec2", lambda: t.Wav2Vec2Model(t.Wav2Vec2Config(**SPEECH)), SOUND, STATE, BOTH)
add("Wav2Vec2, for letters", lambda: t.Wav2Vec2ForCTC(t.Wav2Vec2Config(**SPEECH)), SOUND,
    ("logits",))
add("HuBERT", lambda: t.HubertModel(t.HubertConfig(**SPEECH)), SOUND)
add("AST", lambda: t.ASTModel(t.ASTConfig(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
    max_length=64, num_mel_bins=32)), {"input_values": floats(N, 64, 32)})

# ---- pictures ----

VIT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
       "intermediate_size": 64, "image_size": 32, "patch_size": 8}
picture("ViT", t.ViTConfig, exporters=BOTH, **VIT)
picture("DeiT", t.DeiTConfig, **VIT)
picture("BEiT", t.BeitConfig, use_relative_position_bias=True, **VIT)
picture("DINOv2", t.Dinov2Config, **VIT)
picture("Swin", t.SwinConfig, image_size=32, patch_size=4, embed_dim=16, depths=[2, 2],
        num_heads=[2, 4], window_size=4)
picture("SegFormer", t.SegformerConfig, 64, BOTH, ("logits",), t.AutoModelForSemanticSegmentation,
        hidden_sizes=[16, 32, 40, 64], depths=[1, 1, 1, 1], decoder_hidden_size=32)
picture("YOLOS", t.YolosConfig, 64, results=("logits", "pred_boxes"),
        model=t.AutoModelForObjectDetection, **{**VIT, "image_size": [64, 64]})
picture("PVT", t.PvtConfig, 64, image_size=64, hidden_sizes=[16, 32, 40, 64], depths=[1, 1, 1, 1])
picture("DPT, depth", t.DPTConfig, 32, results=("predicted_depth",),
        model=t.AutoModelForDepthEstimation, is_hybrid=False, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 16, 24, 32], fusion_hidden_size=16,
        **{**VIT, "num_hidden_layers": 4})
add("DETR", lambda: t.DetrForObjectDetection(t.DetrConfig(
    use_timm_backbone=False, use_pretrained_backbone=False, backbone=None,
    backbone_config=t.ResNetConfig(embedding_size=16, hidden_sizes=[16, 16, 32, 32],
                                   depths=[1, 1, 1, 1], layer_type="basic",
                                   out_features=["stage4"]),
    d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4,
    decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, num_queries=10)),
    {"pixel_values": floats(N, 3, 64, 64)}, ("logits", "pred_boxes"))
CLIP_TEXT = {**SMALL, "eos_token_id": 98}
add("CLIP", lambda: t.CLIPModel(t.CLIPConfig(text_config=CLIP_TEXT, vision_config=VIT,
                                             projection_dim=16)),
    {**TEXT, "pixel_values": floats(N, 3, 32, 32)}, ("logits_per_image", "text_embeds"), BOTH)
add("SigLIP, pictures", lambda: t.SiglipVisionModel(t.SiglipVisionConfig(**VIT)),
    {"pixel_values": floats(N, 3, 32, 32)})
