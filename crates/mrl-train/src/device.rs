use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use tch::{Cuda, Device, Kind, Tensor};

use crate::{Precision, TrainError};

/// Where to compute, as the user says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum DeviceChoice {
    /// The first CUDA device, else Apple's GPU, else the CPU.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
    /// Apple's GPU.
    Mps,
}

impl DeviceChoice {
    /// Replaces `auto` by what is there.
    ///
    /// # Errors
    /// When a device was asked for that is not there.
    pub fn resolve(self) -> Result<Self, TrainError> {
        let cuda_devices = if Cuda::is_available() { Cuda::device_count().max(0) as usize } else { 0 };
        let missing =
            |what: &str, cure: &str| Err(TrainError::Config(format!("device {self}: {what}; {cure}")));
        match self {
            Self::Auto if cuda_devices > 0 => Ok(Self::Cuda(0)),
            Self::Auto if tch::utils::has_mps() => Ok(Self::Mps),
            Self::Auto => Ok(Self::Cpu),
            Self::Cuda(_) if cuda_devices == 0 => missing(
                "this libtorch finds no CUDA device",
                "prepare one with `cargo xtask setup --cuda`, or use --device cpu",
            ),
            Self::Cuda(index) if index >= cuda_devices => {
                missing(&format!("there are {cuda_devices} CUDA devices"), "count from cuda:0")
            }
            Self::Mps if !tch::utils::has_mps() => {
                missing("this machine has no Apple GPU", "use --device cpu")
            }
            chosen => Ok(chosen),
        }
    }

    pub(crate) fn torch(self) -> Device {
        match self {
            Self::Auto | Self::Cpu => Device::Cpu,
            Self::Cuda(index) => Device::Cuda(index),
            Self::Mps => Device::Mps,
        }
    }
}

/// A few of the processor's numbers where a step computes, without waiting for what CUDA still computes: it has its copy of
/// them by the time that this returns.
pub(crate) fn upload(numbers: &Tensor, device: Device) -> Tensor {
    numbers.to_device_(device, numbers.kind(), device.is_cuda(), false)
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Mps => f.write_str("mps"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("unknown device {text:?}; use auto, cpu, cuda:N or mps");
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "mps" => Ok(Self::Mps),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(unknown),
        }
    }
}

impl From<DeviceChoice> for String {
    fn from(device: DeviceChoice) -> Self {
        device.to_string()
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Precision {
    /// Replaces `auto` by the fastest format that the device computes in without loss of range.
    #[must_use]
    pub fn resolve(self, device: &DeviceChoice) -> Self {
        match (self, device) {
            (Self::Auto, DeviceChoice::Cuda(_)) => Self::Bf16,
            (Self::Auto, DeviceChoice::Cpu) if cpu_has_bf16() => Self::Bf16,
            (Self::Auto, _) => Self::F32,
            (chosen, _) => chosen,
        }
    }

    /// What to compute in on `device` with an encoder that was trained in this format, maybe on another device: `f32` where a
    /// processor would have to emulate it.
    pub(crate) fn on(self, device: &DeviceChoice) -> Self {
        match (self, device) {
            (Self::Bf16, DeviceChoice::Cpu) if !cpu_has_bf16() => Self::F32,
            (Self::F16, DeviceChoice::Cpu) => Self::F32,
            (chosen, _) => chosen,
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Auto | Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
            Self::F16 => Kind::Half,
        }
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
    fn devices_read_as_they_are_written() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3", "mps"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!(
            "gpu".parse::<DeviceChoice>().unwrap_err(),
            "unknown device \"gpu\"; use auto, cpu, cuda:N or mps"
        );
    }

    #[test]
    fn a_missing_device_is_named_with_the_cure() {
        if Cuda::is_available() {
            eprintln!("skipped: this machine has CUDA devices");
            return;
        }
        let error = DeviceChoice::Cuda(1).resolve().unwrap_err().to_string();
        assert!(error.starts_with("device cuda:1: this libtorch finds no CUDA device"), "{error}");
        assert_eq!(
            DeviceChoice::Auto.resolve().unwrap(),
            if tch::utils::has_mps() { DeviceChoice::Mps } else { DeviceChoice::Cpu }
        );
    }

    #[test]
    fn an_explicit_precision_is_kept() {
        assert_eq!(Precision::F32.resolve(&DeviceChoice::Cuda(0)), Precision::F32);
        assert_eq!(Precision::Auto.resolve(&DeviceChoice::Cuda(0)), Precision::Bf16);
        assert_eq!(Precision::Auto.resolve(&DeviceChoice::Mps), Precision::F32);
    }

    #[test]
    fn an_encoder_from_another_machine_is_not_emulated() {
        let on_cpu = |precision: Precision| precision.on(&DeviceChoice::Cpu);
        assert_eq!(on_cpu(Precision::Bf16), Precision::Auto.resolve(&DeviceChoice::Cpu));
        assert_eq!((on_cpu(Precision::F16), on_cpu(Precision::F32)), (Precision::F32, Precision::F32));
        assert_eq!(Precision::F16.on(&DeviceChoice::Cuda(0)), Precision::F16);
    }
}
