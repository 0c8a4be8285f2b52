//! The pages of an object by index: sparse, and every allocation may fail.
//!
//! A sorted array of chunks of 64 pages: a look-up is a binary search, which for most files means one
//! comparison, and a file that grows at its end moves nothing.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use los_abi::errno::Errno;

use crate::frames::Frame;

/// Pages of a chunk.
const CHUNK_PAGES: u64 = 64;

/// Frames by page index.
#[derive(Debug, Default)]
pub struct PageMap {
    chunks: Vec<Chunk>,
    pages: usize,
}

/// The frames of [`CHUNK_PAGES`] pages from a multiple of that number on; at least one exists.
#[derive(Debug)]
struct Chunk {
    /// The first page's index by [`CHUNK_PAGES`].
    number: u64,
    /// How many exist.
    pages: usize,
    frames: Box<[Option<Frame>]>,
}

impl PageMap {
    /// Makes an empty map.
    pub const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            pages: 0,
        }
    }

    /// Returns the number of pages.
    pub fn len(&self) -> usize {
        self.pages
    }

    /// Reports whether there are no pages.
    pub fn is_empty(&self) -> bool {
        self.pages == 0
    }

    /// Finds the frame of a page.
    #[inline]
    pub fn get(&self, index: u64) -> Option<&Frame> {
        let at = self.position(index / CHUNK_PAGES).ok()?;
        self.chunks[at].frames[within(index)].as_ref()
    }

    /// Gives a page a frame; the one that it had goes.
    ///
    /// # Errors
    /// ENOMEM, and the frame is dropped.
    pub fn insert(&mut self, index: u64, frame: Frame) -> Result<(), Errno> {
        let number = index / CHUNK_PAGES;
        let at = match self.position(number) {
            Ok(at) => at,
            Err(at) => {
                self.chunks.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.chunks.insert(at, Chunk::new(number)?);
                at
            }
        };
        frame.mark_cached();
        let chunk = &mut self.chunks[at];
        if chunk.frames[within(index)].replace(frame).is_none() {
            chunk.pages += 1;
            self.pages += 1;
        }
        Ok(())
    }

    /// Removes the pages of a range and returns how many there were.
    pub fn remove(&mut self, range: Range<u64>) -> usize {
        let before = self.pages;
        let first = self.first_from(range.start / CHUNK_PAGES);
        let last = self.first_from(range.end.div_ceil(CHUNK_PAGES));
        let Some(touched) = self.chunks.get_mut(first..last) else {
            return 0;
        };
        for chunk in touched {
            self.pages -= chunk.remove(&range);
        }
        let mut index = 0;
        self.chunks.retain(|chunk| {
            let is_outside = index < first || index >= last;
            index += 1;
            is_outside || chunk.pages > 0
        });
        before - self.pages
    }

    /// Finds the first page at or behind an index.
    pub fn next_page(&self, index: u64) -> Option<u64> {
        let number = index / CHUNK_PAGES;
        let chunks = &self.chunks[self.first_from(number)..];
        chunks.iter().find_map(|chunk| {
            let start = if chunk.number == number { within(index) } else { 0 };
            let found = chunk.frames[start..].iter().position(Option::is_some)?;
            Some(chunk.number * CHUNK_PAGES + (start + found) as u64)
        })
    }

    /// Finds the first index without a page, at or behind an index.
    pub fn next_hole(&self, index: u64) -> u64 {
        let mut index = index;
        while self.get(index).is_some() {
            index += 1;
        }
        index
    }

    fn position(&self, number: u64) -> Result<usize, usize> {
        self.chunks.binary_search_by_key(&number, |chunk| chunk.number)
    }

    fn first_from(&self, number: u64) -> usize {
        self.chunks.partition_point(|chunk| chunk.number < number)
    }
}

impl Chunk {
    fn new(number: u64) -> Result<Self, Errno> {
        let mut frames = Vec::new();
        frames
            .try_reserve_exact(CHUNK_PAGES as usize)
            .map_err(|_| Errno::ENOMEM)?;
        frames.extend((0..CHUNK_PAGES).map(|_| None));
        Ok(Self {
            number,
            pages: 0,
            frames: frames.into_boxed_slice(),
        })
    }

    /// Removes the pages that lie in a range of indices, and returns how many there were.
    fn remove(&mut self, range: &Range<u64>) -> usize {
        let before = self.pages;
        let first = self.number * CHUNK_PAGES;
        for (index, frame) in (first..).zip(self.frames.iter_mut()) {
            if range.contains(&index) && frame.take().is_some() {
                self.pages -= 1;
            }
        }
        before - self.pages
    }
}

fn within(index: u64) -> usize {
    (index % CHUNK_PAGES) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{frames, testing};

    fn map(indices: &[u64]) -> PageMap {
        let mut map = PageMap::new();
        for &index in indices {
            let frame = frames::allocate().unwrap();
            frame.write(0, &index.to_le_bytes());
            map.insert(index, frame).unwrap();
        }
        map
    }

    fn found(map: &PageMap, index: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        map.get(index)?.read(0, &mut bytes);
        Some(u64::from_le_bytes(bytes))
    }

    #[test]
    fn pages_are_found_in_any_order_of_insertion() {
        let _turn = testing::exclusive();
        let indices = [1 << 40, 0, 63, 64, 5, u64::MAX / 4096, 65];
        let map = map(&indices);
        assert_eq!(map.len(), indices.len());
        for index in indices {
            assert_eq!(found(&map, index), Some(index));
        }
        assert_eq!((found(&map, 1), found(&map, 128)), (None, None));
    }

    #[test]
    fn pages_and_holes_are_searched_across_chunks() {
        let _turn = testing::exclusive();
        let map = map(&[3, 63, 64, 65, 1000]);
        assert_eq!(map.next_page(0), Some(3));
        assert_eq!(map.next_page(4), Some(63));
        assert_eq!(map.next_page(66), Some(1000));
        assert_eq!(map.next_page(1001), None);
        assert_eq!((map.next_hole(63), map.next_hole(4)), (66, 4));
    }

    #[test]
    fn removal_returns_every_frame() {
        let _turn = testing::exclusive();
        let before = frames::statistics().free_pages;
        let mut pages = map(&(0..300).collect::<Vec<_>>());
        assert_eq!(pages.remove(10..260), 250);
        assert_eq!((found(&pages, 9), found(&pages, 10)), (Some(9), None));
        assert_eq!((found(&pages, 259), found(&pages, 260)), (None, Some(260)));
        assert_eq!(pages.remove(10..260), 0);
        assert_eq!(pages.remove(0..u64::MAX), 50);
        assert!(pages.is_empty());
        drop(pages);
        let cached_by_the_heap = 8;
        assert!(frames::statistics().free_pages + cached_by_the_heap >= before);
    }
}
