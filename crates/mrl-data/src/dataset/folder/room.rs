//! A bound on the pixels that are in memory.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::dataset::decode::Decoded;

/// Room for so many bytes of pixels.
#[derive(Debug)]
pub(super) struct Room(AtomicU64);

impl Room {
    pub(super) fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    /// Keeps an image if there is room for it.
    pub(super) fn keep(&self, decoded: Decoded) -> Option<Decoded> {
        let bytes = decoded.pixels.len() as u64;
        self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).is_ok().then_some(decoded)
    }

    /// Makes room again for what an image took.
    pub(super) fn give_back(&self, decoded: &Decoded) {
        self.0.fetch_add(decoded.pixels.len() as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_up_to_the_bound_and_again_after_giving_back() {
        let image = || Decoded { width: 2, height: 1, pixels: vec![0; 6] };
        let room = Room::new(13);
        assert!(room.keep(image()).is_some() && room.keep(image()).is_some());
        assert_eq!(room.keep(image()), None);
        room.give_back(&image());
        assert_eq!(room.keep(image()), Some(image()));
    }
}
