"""Packaging. Lower bounds only: pins belong to whoever deploys."""

import pathlib
import re

from setuptools import find_packages, setup

ROOT = pathlib.Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+)"', (ROOT / "slider_jax/__init__.py").read_text()
)[1]

setup(
    name="slider_jax",
    version=VERSION,
    description="Edit the expression of a face with sliders: SliderGAN in JAX.",
    license="Apache-2.0",
    keywords="face expression editing GAN blendshapes 3DMM JAX Flax",
    python_requires=">=3.11",
    packages=find_packages(include=["slider_jax", "slider_jax.*"]),
    package_data={"slider_jax": ["assets/**", "studio/page/*"]},
    entry_points={"console_scripts": ["slider = slider_jax.cli:main"]},
    install_requires=[
        "absl-py>=2.1",
        "ai-edge-litert>=2.0",
        "array_record>=0.5",
        "clu>=0.0.12",
        "flax>=0.12",
        "grain>=0.2.12",
        "importlib_resources>=6",  # tensorflow-datasets needs it and does not ask
        "jax>=0.10",
        "jaxtyping>=0.3",
        "ml-collections>=1.0",
        "numpy>=2.0",
        "optax>=0.2.5",
        "orbax-checkpoint>=0.11.33",
        "packaging>=24",
        "pillow>=11",
        "protobuf>=5",
        "scipy>=1.14",
        "tensorflow-datasets>=4.9.9",
        "tensorboardX>=2.6",
        "tqdm>=4.66",
        "typer>=0.16",
    ],
    extras_require={
        "gpu": ["jax[cuda12]>=0.10"],
        "tpu": ["jax[tpu]>=0.10"],
        "export": ["onnx>=1.17", "onnxruntime>=1.20"],
        "prepare": ["h5py>=3.11"],
        "torch": ["safetensors>=0.4", "torch>=2.5"],  # only to read others' weights
        "video": ["imageio-ffmpeg>=0.5"],
        "studio": ["starlette>=0.46", "uvicorn>=0.34"],
        "test": [
            "beartype>=0.20",
            "h5py>=3.11",
            "onnx>=1.17",
            "onnxruntime>=1.20",
            "imed>=0.3",
            "playwright>=1.50",
            "pytest>=8.3",
            "ruff>=0.12",
            "safetensors>=0.4",
            "scikit-image>=0.25",
            "starlette>=0.46",
            "torch==2.13.0",
            "uvicorn>=0.34",
        ],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Multimedia :: Graphics",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
