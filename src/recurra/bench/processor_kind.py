"""The kind of a processor: its maker and microarchitecture, on which speed depends more than on its name."""

from __future__ import annotations

from collections.abc import Mapping

# Models of each family as /proc/cpuinfo numbers them: the first and last model, and the microarchitecture.
_AMD = {
    23: ((0x00, 0x2F, "Zen"), (0x30, 0xFF, "Zen 2")),
    25: (
        (0x00, 0x0F, "Zen 3"), (0x10, 0x1F, "Zen 4"), (0x20, 0x5F, "Zen 3"), (0x60, 0x7F, "Zen 4"),
        (0xA0, 0xAF, "Zen 4"),
    ),
    26: ((0x00, 0xFF, "Zen 5"),),
}  # fmt: skip
_INTEL = {
    6: (
        (0x3C, 0x3C, "Haswell"), (0x3F, 0x3F, "Haswell"), (0x45, 0x46, "Haswell"), (0x3D, 0x3D, "Broadwell"),
        (0x47, 0x47, "Broadwell"), (0x4F, 0x4F, "Broadwell"), (0x56, 0x56, "Broadwell"), (0x4E, 0x4E, "Skylake"),
        (0x55, 0x55, "Skylake server"), (0x5E, 0x5E, "Skylake"), (0x6A, 0x6C, "Ice Lake server"),
        (0x7D, 0x7E, "Ice Lake"), (0x8C, 0x8D, "Tiger Lake"), (0x8E, 0x8E, "Kaby Lake"),
        (0x8F, 0x8F, "Sapphire Rapids"), (0x97, 0x97, "Alder Lake"),
        (0x9A, 0x9A, "Alder Lake"), (0x9E, 0x9E, "Kaby Lake"), (0xA7, 0xA7, "Rocket Lake"),
        (0xAA, 0xAC, "Meteor Lake"), (0xAD, 0xAE, "Granite Rapids"), (0xB7, 0xB7, "Raptor Lake"),
        (0xBA, 0xBA, "Raptor Lake"), (0xBF, 0xBF, "Raptor Lake"), (0xCF, 0xCF, "Emerald Rapids"),
    ),
}  # fmt: skip
_MAKERS = {"AuthenticAMD": ("AMD", _AMD), "GenuineIntel": ("Intel", _INTEL)}


def processor_kind(info: Mapping[str, str]) -> str:
    """The name of a kind, such as ``AMD Zen 4``; of an unknown one, family and model, or the processor's name.

    Args:
        info: one entry of /proc/cpuinfo.
    """
    maker, families = _MAKERS.get(info.get("vendor_id", ""), ("", {}))
    try:
        family, model = int(info["cpu family"]), int(info["model"])
    except (KeyError, ValueError):
        return info.get("model name", "").strip() or "processor of an unknown kind"
    for first, last, name in families.get(family, ()):
        if first <= model <= last:
            return f"{maker} {name}"
    return f"{maker or info.get('vendor_id', 'unknown maker')}, family {family}, model {model}"
