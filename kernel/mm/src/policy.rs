//! Memory policies (set_mempolicy(2)): from which nodes pages come. There is one node, number 0, so a policy decides
//! nothing; it is checked, kept and told.

use los_abi::errno::Errno;
use los_abi::numa::{
    MPOL_BIND, MPOL_DEFAULT, MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES, MPOL_LOCAL,
    MPOL_MODE_FLAGS, MPOL_PREFERRED, MPOL_PREFERRED_MANY, MPOL_WEIGHTED_INTERLEAVE,
};

/// The nodes that exist, as a set.
pub const NODES: u64 = 1;

/// A mode with its flags as a program says it, and a set of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    mode: u32,
    flags: u32,
    nodes: u64,
}

/// A mode with flags that exist together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    mode: u32,
    flags: u32,
}

impl Mode {
    /// Splits a program's word.
    ///
    /// # Errors
    /// EINVAL for an unknown mode and for flags that do not fit.
    pub fn new(word: u32) -> Result<Self, Errno> {
        let (mode, flags) = (word & !MPOL_MODE_FLAGS, word & MPOL_MODE_FLAGS);
        let has = |flag| flags & flag == flag;
        let is_balanced = has(MPOL_F_NUMA_BALANCING);
        if mode > MPOL_WEIGHTED_INTERLEAVE
            || has(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)
            || is_balanced && mode != MPOL_BIND && mode != MPOL_PREFERRED_MANY
        {
            return Err(Errno::EINVAL);
        }
        Ok(Self { mode, flags })
    }

    /// Tells whether it stands for no policy.
    pub fn is_default(self) -> bool {
        self.mode == MPOL_DEFAULT
    }
}

impl Policy {
    /// The absence of a policy.
    pub const DEFAULT: Self = Self {
        mode: MPOL_DEFAULT,
        flags: 0,
        nodes: 0,
    };

    /// Makes a policy (Linux's `mpol_new` and `mpol_set_nodemask`).
    ///
    /// # Errors
    /// EINVAL for nodes that the mode does not have, or of which none exists.
    pub fn new(Mode { mut mode, flags }: Mode, nodes: u64) -> Result<Self, Errno> {
        let is_mapped = flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES) != 0;
        let is_refused = match mode {
            MPOL_DEFAULT if nodes == 0 => return Ok(Self::DEFAULT),
            MPOL_DEFAULT => true,
            MPOL_PREFERRED if nodes == 0 => {
                mode = MPOL_LOCAL;
                is_mapped
            }
            MPOL_LOCAL => nodes != 0 || is_mapped,
            _ => nodes == 0,
        };
        // Relative nodes are counted among those that exist, so every one is node 0.
        let exists = mode == MPOL_LOCAL || flags & MPOL_F_RELATIVE_NODES != 0 || nodes & NODES != 0;
        if is_refused || !exists {
            return Err(Errno::EINVAL);
        }
        Ok(Self { mode, flags, nodes })
    }

    /// Returns mode and flags as get_mempolicy(2) tells them.
    pub fn word(self) -> u32 {
        self.mode | self.flags
    }

    /// Returns the nodes as get_mempolicy(2) tells them: as they were given if they follow the set of nodes that
    /// exist, else those of them that do.
    pub fn nodes(self) -> u64 {
        match self.mode {
            MPOL_DEFAULT | MPOL_LOCAL => 0,
            _ if self.flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES) != 0 => self.nodes,
            _ => self.nodes & NODES,
        }
    }

    /// Tells whether the nodes are taken in turn.
    pub fn is_interleaved(self) -> bool {
        use los_abi::numa::MPOL_INTERLEAVE;
        self.mode == MPOL_INTERLEAVE || self.mode == MPOL_WEIGHTED_INTERLEAVE
    }

    /// Tells whether a home node can be chosen for the policy.
    pub(crate) fn has_home(self) -> bool {
        self.mode == MPOL_BIND || self.mode == MPOL_PREFERRED_MANY
    }
}

#[cfg(test)]
mod tests {
    use los_abi::numa::MPOL_INTERLEAVE;

    use super::*;

    fn policy(word: u32, nodes: u64) -> Result<(u32, u64), Errno> {
        let policy = Policy::new(Mode::new(word)?, nodes)?;
        Ok((policy.word(), policy.nodes()))
    }

    #[test]
    fn modes_want_their_nodes() {
        assert_eq!(policy(MPOL_DEFAULT, 0), Ok((MPOL_DEFAULT, 0)));
        assert_eq!(policy(MPOL_DEFAULT, 1), Err(Errno::EINVAL));
        assert_eq!(policy(MPOL_PREFERRED, 0), Ok((MPOL_LOCAL, 0)));
        assert_eq!(policy(MPOL_PREFERRED, 1), Ok((MPOL_PREFERRED, 1)));
        assert_eq!(policy(MPOL_LOCAL, 0), Ok((MPOL_LOCAL, 0)));
        assert_eq!(policy(MPOL_LOCAL, 1), Err(Errno::EINVAL));
        assert_eq!(policy(MPOL_BIND, 0), Err(Errno::EINVAL));
        assert_eq!(policy(MPOL_BIND, 3), Ok((MPOL_BIND, 1)));
        assert_eq!(policy(MPOL_INTERLEAVE, 2), Err(Errno::EINVAL));
        assert_eq!(policy(7, 1), Err(Errno::EINVAL));
    }

    #[test]
    fn flags_have_their_modes() {
        let both = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
        assert_eq!(policy(MPOL_BIND | both, 1), Err(Errno::EINVAL));
        let as_given = MPOL_BIND | MPOL_F_STATIC_NODES;
        assert_eq!(policy(as_given, 3), Ok((as_given, 3)));
        assert_eq!(policy(as_given, 2), Err(Errno::EINVAL));
        let relative = MPOL_BIND | MPOL_F_RELATIVE_NODES;
        assert_eq!(policy(relative, 2), Ok((relative, 2)));
        assert_eq!(
            policy(MPOL_PREFERRED | MPOL_F_STATIC_NODES, 0),
            Err(Errno::EINVAL)
        );
        assert_eq!(
            policy(MPOL_INTERLEAVE | MPOL_F_NUMA_BALANCING, 1),
            Err(Errno::EINVAL)
        );
    }
}
