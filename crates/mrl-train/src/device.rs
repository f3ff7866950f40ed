use mrl_config::{CheckedConfig, DeviceChoice, Facts, Precision, ResolvedConfig};
use mrl_data::ImageSet;
use tch::{Cuda, Device, Kind, Tensor};

use crate::{
    TrainError,
    labels::{check_labels, needed_labels},
};

/// What a run of `images` is on this machine. `side` is that of the images in pixels, where `config` gives none.
///
/// # Errors
/// When the device is not there, a number is too large for a file, or the objective needs labels and the images have none, or some that
/// are no class.
pub fn resolve(config: CheckedConfig, images: &ImageSet, side: usize) -> Result<ResolvedConfig, TrainError> {
    if config.config().objective.loss.needs_labels() {
        needed_labels(images)?;
    }
    let named = images.class_names().map(<[String]>::len).or(images.kind().classes());
    let resolved = resolve_for(config, side, named)?;
    check_labels(&resolved, images)?;
    Ok(resolved)
}

/// The same for images that have so many classes, which nobody has looked at yet.
pub(crate) fn resolve_for(
    config: CheckedConfig,
    image_size: usize,
    classes: Option<usize>,
) -> Result<ResolvedConfig, TrainError> {
    let run = &config.config().run;
    let device = present(run.device)?;
    let facts = Facts { image_size, classes, device, precision: fastest(run.precision, device) };
    Ok(config.resolve(&facts)?)
}

/// Checks that the device is there.
///
/// # Errors
/// When it was asked for and is not.
pub fn check_device(choice: DeviceChoice) -> Result<(), TrainError> {
    present(choice).map(drop)
}

/// The device that `choice` stands for.
///
/// # Errors
/// When a device was asked for that is not there.
pub(crate) fn present(choice: DeviceChoice) -> Result<DeviceChoice, TrainError> {
    let cuda_devices = if Cuda::is_available() { Cuda::device_count().max(0) as usize } else { 0 };
    let missing = |what: &str, cure: &str| Err(TrainError::Usage(format!("device {choice}: {what}; {cure}")));
    match choice {
        DeviceChoice::Auto if cuda_devices > 0 => Ok(DeviceChoice::Cuda(0)),
        DeviceChoice::Auto if tch::utils::has_mps() => Ok(DeviceChoice::Mps),
        DeviceChoice::Auto => Ok(DeviceChoice::Cpu),
        DeviceChoice::Cuda(_) if cuda_devices == 0 => missing(
            "this libtorch finds no CUDA device",
            "prepare one with `cargo xtask setup --cuda`, or use --device cpu",
        ),
        DeviceChoice::Cuda(index) if index >= cuda_devices => {
            missing(&format!("there are {cuda_devices} CUDA devices"), "count from cuda:0")
        }
        DeviceChoice::Mps if !tch::utils::has_mps() => {
            missing("this machine has no Apple GPU", "use --device cpu")
        }
        chosen => Ok(chosen),
    }
}

/// The device as libtorch knows it.
pub(crate) fn torch_device(choice: DeviceChoice) -> Device {
    match choice {
        DeviceChoice::Auto | DeviceChoice::Cpu => Device::Cpu,
        DeviceChoice::Cuda(index) => Device::Cuda(index),
        DeviceChoice::Mps => Device::Mps,
    }
}

/// A few of the processor's numbers where a step computes, without waiting for what CUDA still computes: it has its copy of
/// them by the time that this returns.
pub(crate) fn upload(numbers: &Tensor, device: Device) -> Tensor {
    numbers.to_device_(device, numbers.kind(), device.is_cuda(), false)
}

/// The number format that `precision` stands for: for `auto` the fastest that the device computes in without loss of range.
pub(crate) fn fastest(precision: Precision, device: DeviceChoice) -> Precision {
    match (precision, device) {
        (Precision::Auto, DeviceChoice::Cuda(_)) => Precision::Bf16,
        (Precision::Auto, DeviceChoice::Cpu) if cpu_has_bf16() => Precision::Bf16,
        (Precision::Auto, _) => Precision::F32,
        (chosen, _) => chosen,
    }
}

/// What to compute in on `device` with an encoder that was trained in `precision`, maybe on another device: `f32` where a
/// processor would have to emulate it.
pub(crate) fn native(precision: Precision, device: DeviceChoice) -> Precision {
    match (precision, device) {
        (Precision::Bf16, DeviceChoice::Cpu) if !cpu_has_bf16() => Precision::F32,
        (Precision::F16, DeviceChoice::Cpu) => Precision::F32,
        (chosen, _) => chosen,
    }
}

/// The number format as libtorch knows it.
pub(crate) fn torch_kind(precision: Precision) -> Kind {
    match precision {
        Precision::Auto | Precision::F32 => Kind::Float,
        Precision::Bf16 => Kind::BFloat16,
        Precision::F16 => Kind::Half,
    }
}

#[cfg(target_arch = "x86_64")]
fn cpu_has_bf16() -> bool {
    std::arch::is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_has_bf16() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_is_named_with_the_cure() {
        if Cuda::is_available() {
            eprintln!("skipped: this machine has CUDA devices");
            return;
        }
        let error = present(DeviceChoice::Cuda(1)).unwrap_err().to_string();
        assert!(error.starts_with("device cuda:1: this libtorch finds no CUDA device"), "{error}");
        assert_eq!(
            present(DeviceChoice::Auto).unwrap(),
            if tch::utils::has_mps() { DeviceChoice::Mps } else { DeviceChoice::Cpu }
        );
    }

    #[test]
    fn an_explicit_precision_is_kept() {
        assert_eq!(fastest(Precision::F32, DeviceChoice::Cuda(0)), Precision::F32);
        assert_eq!(fastest(Precision::Auto, DeviceChoice::Cuda(0)), Precision::Bf16);
        assert_eq!(fastest(Precision::Auto, DeviceChoice::Mps), Precision::F32);
    }

    #[test]
    fn an_encoder_from_another_machine_is_not_emulated() {
        let on_cpu = |precision: Precision| native(precision, DeviceChoice::Cpu);
        assert_eq!(on_cpu(Precision::Bf16), fastest(Precision::Auto, DeviceChoice::Cpu));
        assert_eq!((on_cpu(Precision::F16), on_cpu(Precision::F32)), (Precision::F32, Precision::F32));
        assert_eq!(native(Precision::F16, DeviceChoice::Cuda(0)), Precision::F16);
    }
}
