"""Every measure: which way is better, in what unit, and which network it leans on."""

import dataclasses
from typing import Literal

IDENTITY, EXPRESSION = "identity judge", "expression judge"
FEATURES, LPIPS, POINTS = "VGG16 relu5_3", "LPIPS net", "landmarker"
CRITIC = "the run's own D"


@dataclasses.dataclass(frozen=True)
class Measure:
    """`equation` is its place in slider_jax/measures (or nets): file, then function."""

    name: str
    title: str
    better: Literal["up", "down"]
    unit: str
    equation: str
    leans_on: str | None = None


_ROWS = (
    ("ied", "IED", "down", "[0, 1]², per pixel", "ied.ied"),
    ("mae", "MAE", "down", "[0, 1]", "pixels.mae"),
    ("rmse", "RMSE", "down", "[0, 1]", "pixels.rmse"),
    ("mse", "MSE", "down", "[0, 1]²", "pixels.mse"),
    ("psnr", "PSNR", "up", "dB", "pixels.psnr"),
    ("ssim", "SSIM", "up", "-1 to 1", "pixels.ssim"),
    ("ms_ssim", "MS-SSIM", "up", "0 to 1", "pixels.ms_ssim"),
    ("background", "Background change", "down", "bytes", "pixels.background_change"),
    ("lpips", "LPIPS", "down", "", "nets.perceptual.lpips", LPIPS),
    ("fid", "FID", "down", "", "distributions.frechet_distance", FEATURES),
    ("kid", "KID", "down", "", "distributions.kernel_distance", FEATURES),
    ("identity", "Identity cosine", "up", "-1 to 1", "people.cosine", IDENTITY),
    ("verified", "Verified", "up", "part", "people.accepted", IDENTITY),
    ("acd", "ACD", "down", "", "people.content_distance", IDENTITY),
    ("acd_i", "ACD-I", "down", "", "people.content_distance_to", IDENTITY),
    ("reading", "Reading error", "down", "part", "parameters.relative_error", CRITIC),
    (
        *("consistency", "Consistency error", "down", "part"),
        *("parameters.relative_error", CRITIC),
    ),
    ("parameter_mse", "Parameter MSE", "down", "", "parameters.channel_mse", CRITIC),
    ("parameter_rmse", "Parameter RMSE", "down", "", "parameters.rmse", CRITIC),
    (
        *("parameter_pcc", "Parameter PCC", "up", "-1 to 1"),
        *("parameters.channel_correlation", CRITIC),
    ),
    ("unit_mse", "AU MSE", "down", "[0, 1]²", "parameters.channel_mse", POINTS),
    (
        *("unit_pcc", "AU PCC", "up", "-1 to 1"),
        *("parameters.channel_correlation", POINTS),
    ),
    (
        *("component_mse", "Component MSE", "down", "[-1, 1]²"),
        *("parameters.channel_mse", POINTS),
    ),
    (
        *("component_pcc", "Component PCC", "up", "-1 to 1"),
        *("parameters.channel_correlation", POINTS),
    ),
    ("pose", "Pose error", "down", "degrees", "parameters.pose_error", POINTS),
    ("selectivity", "Selectivity", "up", "part", "parameters.selectivity", CRITIC),
    ("smoothness", "Smoothness", "up", "part", "parameters.smoothness", POINTS),
    ("landmarks", "Landmark error", "down", "eyes", "landmarks.landmark_error", POINTS),
    ("mouth", "Mouth opening τ", "up", "-1 to 1", "landmarks.monotonicity", POINTS),
    ("eyes", "Eye closing τ", "up", "-1 to 1", "landmarks.monotonicity", POINTS),
    (
        *("recognised", "Recognised", "up", "part"),
        *("recognition.class_accuracy", EXPRESSION),
    ),
)
MEASURES = {row[0]: Measure(*row) for row in _ROWS}
