"""Networks for pictures, of torchvision and timm, as small as they can be made."""

import timm
from timm.models import mlp_mixer
from torch import nn
from torchvision import models
from torchvision.models import detection, optical_flow, segmentation, video
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.detection.backbone_utils import mobilenet_backbone, resnet_fpn_backbone

from network import NEW, OLD, Nested, Network, floats, picture

BOTH = (OLD, NEW)
BATCH = {"pixels": {0: "batch"}}
NETWORKS = {}


def narrow(model, width=64):
    """The first product of a classifier of 4096 channels made narrower: it is most of the file."""
    rows = [(i, m) for i, m in enumerate(model.classifier) if isinstance(m, nn.Linear)]
    n_in = rows[0][1].in_features
    for i, _ in rows:
        model.classifier[i] = nn.Linear(n_in, width)
        n_in = width
    return model


def add(name, make, inputs, exporters=(OLD,), free=BATCH, outside=False):
    NETWORKS[name] = Network(make, inputs, exporters, free, outside)


def classifier(name, size=64, exporters=(OLD,), **options):
    make = getattr(models, name)
    add(name, lambda: make(weights=None, num_classes=10, **options), picture(size), exporters)


def of_timm(name, size=64, exporters=(OLD,), **options):
    add("timm " + name, lambda: timm.create_model(name, pretrained=False, num_classes=10,
                                                  **options), picture(size), exporters)


def mixer(name, exporters=(OLD,), **options):
    add(f"{name}, 2 blocks", lambda: mlp_mixer.MlpMixer(
        num_classes=10, img_size=64, patch_size=16, num_blocks=2, embed_dim=64, **options),
        picture(64), exporters)


add("alexnet", lambda: narrow(models.alexnet()), picture(224), BOTH)
add("vgg11_bn", lambda: narrow(models.vgg11_bn()), picture(224))
classifier("resnet18", exporters=BOTH)
add("resnet, 4 bottlenecks", lambda: models.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1]),
    picture(64))
add("resnext, 4 bottlenecks", lambda: models.ResNet(
    models.resnet.Bottleneck, [1, 1, 1, 1], groups=32, width_per_group=4), picture(64))
add("densenet, 8 layers", lambda: models.DenseNet(12, (2, 2, 2, 2), 24), picture(64), BOTH)
classifier("googlenet", aux_logits=False, init_weights=False)
classifier("inception_v3", 96, aux_logits=False, init_weights=False)
classifier("squeezenet1_1")
classifier("shufflenet_v2_x0_5", exporters=BOTH)
classifier("mnasnet0_5")
classifier("mobilenet_v2", exporters=BOTH, width_mult=0.35)
classifier("mobilenet_v3_small", exporters=BOTH)
classifier("mobilenet_v3_large")
classifier("efficientnet_b0", exporters=BOTH)
classifier("regnet_x_400mf")
classifier("regnet_y_400mf", exporters=BOTH)
add("convnext, 4 blocks", lambda: ConvNeXt([
    CNBlockConfig(16, 32, 1), CNBlockConfig(32, 64, 1), CNBlockConfig(64, None, 2)]),
    picture(64), BOTH)
add("vit, 2 layers", lambda: models.VisionTransformer(32, 8, 2, 2, 32, 64), picture(32), BOTH, None)
add("swin, 4 blocks", lambda: models.SwinTransformer([4, 4], 16, [2, 2], [2, 2], [4, 4]),
    picture(64), BOTH, None)
add("swin v2, 4 blocks", lambda: models.SwinTransformer(
    [4, 4], 16, [2, 2], [2, 2], [4, 4], block=models.swin_transformer.SwinTransformerBlockV2,
    downsample_layer=models.swin_transformer.PatchMergingV2), picture(64), (OLD,), None)
add("maxvit, 2 blocks", lambda: models.MaxVit(
    (64, 64), 16, 4, [16, 32], [1, 1], 8, 0.0), picture(64), (OLD,), None)
add("r3d, 4 blocks", lambda: video.VideoResNet(
    video.resnet.BasicBlock, [video.resnet.Conv3DSimple] * 4, [1, 1, 1, 1],
    video.resnet.BasicStem), {"pixels": floats(1, 3, 4, 32, 32)})
add("raft_small, 2 steps", lambda: Flow(optical_flow.raft_small()),
    {"before": floats(1, 3, 128, 128), "after": floats(1, 3, 128, 128)}, (OLD,), None)


class Flow(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, before, after):
        return self.module(before, after, num_flow_updates=2)[-1]


def segmenter(name, size=64, exporters=(OLD,), **options):
    make = getattr(segmentation, name)
    add(name, lambda: Nested(make(weights=None, weights_backbone=None, num_classes=5, **options)),
        picture(size), exporters)


segmenter("deeplabv3_mobilenet_v3_large")
segmenter("lraspp_mobilenet_v3_large", exporters=BOTH)
segmenter("fcn_resnet50")


def telling(model):
    """The same with weights that keep the size of what goes through: with those of a start all boxes
    have one score, and which of them are taken is left to rounding.  Scores stay below 1, and boxes
    move a little only."""
    for name, weights in model.named_parameters():
        if weights.dim() > 1:
            nn.init.kaiming_normal_(weights)
            weights.data *= 0.01 if "bbox" in name or "cls_score" in name else 1
    return model


def detector(name, size, exporters=(OLD,), **options):
    make = getattr(detection, name)
    add(name, lambda: Nested(telling(make(
        weights=None, weights_backbone=None, num_classes=5, **options)), True),
        picture(size), exporters, None)


def retinanet():
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None,
                                   returned_layers=[2, 3, 4])
    sizes = tuple((x, int(x * 2**(1 / 3))) for x in (32, 64, 128, 256))
    anchors = detection.anchor_utils.AnchorGenerator(sizes, ((0.5, 1.0),) * len(sizes))
    return Nested(detection.RetinaNet(backbone, 5, 64, 64, anchor_generator=anchors,
                                      score_thresh=0.0, topk_candidates=20), True)


def fcos():
    backbone = mobilenet_backbone("mobilenet_v3_large", weights=None, fpn=True)
    anchors = detection.anchor_utils.AnchorGenerator(((8,), (16,), (32,)), ((1.0,),) * 3)
    return Nested(telling(detection.FCOS(backbone, 5, 64, 64, anchor_generator=anchors,
                                         score_thresh=0.05)), True)


detector("fasterrcnn_mobilenet_v3_large_320_fpn", 64, min_size=64, max_size=64,
         rpn_pre_nms_top_n_test=50, rpn_post_nms_top_n_test=20)
detector("ssdlite320_mobilenet_v3_large", 64)
add("retinanet, resnet18", retinanet, picture(64), (OLD,), None)
add("fcos, mobilenet_v3_large", fcos, picture(64), (OLD,), None)


# ---- timm ----

of_timm("convnext_atto", exporters=BOTH)
of_timm("deit_tiny_patch16_224", exporters=BOTH, img_size=64, depth=2)
mixer("MLP-Mixer", BOTH)
mixer("ResMLP", mlp_ratio=4, block_layer=mlp_mixer.ResBlock, norm_layer=mlp_mixer.Affine)
mixer("gMLP", mlp_ratio=6, block_layer=mlp_mixer.SpatialGatingBlock,
      mlp_layer=timm.layers.GatedMlp)
of_timm("poolformer_s12")
of_timm("mobilevit_xxs")
of_timm("mobilevitv2_050")
of_timm("ghostnet_050")
of_timm("mobilenetv4_conv_small")
of_timm("tinynet_e")
of_timm("edgenext_xx_small")
of_timm("levit_128s", 224)
of_timm("xcit_nano_12_p16_224", img_size=64, depth=2)
of_timm("cait_xxs24_224", img_size=64, depth=2)
of_timm("pit_ti_224", 224)
of_timm("eva02_tiny_patch14_224", 56, (NEW,), img_size=56, depth=2)
of_timm("beit_base_patch16_224", img_size=64, depth=2, embed_dim=48, num_heads=3)
of_timm("vit_tiny_patch16_224", img_size=64, depth=2, global_pool="avg")
of_timm("fastvit_t8")
of_timm("inception_next_atto")
of_timm("rexnet_100")
of_timm("repvgg_a0")
of_timm("res2net50_26w_4s")
of_timm("resnest14d")
of_timm("skresnet18")
of_timm("seresnet18")
of_timm("eca_nfnet_l0")
of_timm("hardcorenas_a")
of_timm("lcnet_050")
of_timm("hrnet_w18_small")
of_timm("efficientvit_b0")
of_timm("efficientformerv2_s0", 224)
of_timm("coat_tiny", img_size=64)
of_timm("twins_svt_small", 224)
of_timm("pvt_v2_b0")
of_timm("nest_tiny", 224)
