//! Terminals: termios, window size and the numbers of ioctl(2) (`asm-generic/termbits.h`,
//! `asm-generic/ioctls.h`), equal on both machines.

use crate::macros::{constants, flags, wire};

flags! {
    /// Input modes, `c_iflag`.
    InputFlags {
        IGNBRK = 0x1, "Ignores breaks.";
        BRKINT = 0x2, "A break is an interrupt.";
        IGNPAR = 0x4, "Ignores characters with errors.";
        PARMRK = 0x8, "Marks characters with errors.";
        INPCK = 0x10, "Checks parity.";
        ISTRIP = 0x20, "Strips the eighth bit.";
        INLCR = 0x40, "NL becomes CR.";
        IGNCR = 0x80, "Drops CR.";
        ICRNL = 0x100, "CR becomes NL.";
        IUCLC = 0x200, "Upper case becomes lower case.";
        IXON = 0x400, "Output can be stopped and started.";
        IXANY = 0x800, "Any character starts output.";
        IXOFF = 0x1000, "Input can be stopped and started.";
        IMAXBEL = 0x2000, "Rings when the input is full.";
        IUTF8 = 0x4000, "Input is UTF-8: erase takes whole characters.";
    }

    /// Output modes, `c_oflag`.
    OutputFlags {
        OPOST = 0x1, "Output is processed.";
        OLCUC = 0x2, "Lower case becomes upper case.";
        ONLCR = 0x4, "NL becomes CR NL.";
        OCRNL = 0x8, "CR becomes NL.";
        ONOCR = 0x10, "No CR in column 0.";
        ONLRET = 0x20, "NL does what CR does.";
        OFILL = 0x40, "Delays by fill characters.";
        OFDEL = 0x80, "The fill character is DEL.";
    }

    /// Control modes, `c_cflag`, but for the fields under [`CBAUD`] and [`CSIZE`].
    ControlFlags {
        CSTOPB = 0x40, "Two stop bits.";
        CREAD = 0x80, "Receives.";
        PARENB = 0x100, "Parity.";
        PARODD = 0x200, "Odd parity.";
        HUPCL = 0x400, "The last close hangs up.";
        CLOCAL = 0x800, "Ignores modem lines.";
        CMSPAR = 0x4000_0000, "Mark or space parity.";
        CRTSCTS = 0x8000_0000, "Flow control by the hardware.";
    }

    /// Local modes, `c_lflag`.
    LocalFlags {
        ISIG = 0x1, "Characters make signals.";
        ICANON = 0x2, "Input comes in lines.";
        XCASE = 0x4, "Upper case is escaped.";
        ECHO = 0x8, "Echoes input.";
        ECHOE = 0x10, "Erase rubs out on the screen.";
        ECHOK = 0x20, "Kill shows a new line.";
        ECHONL = 0x40, "Echoes NL always.";
        NOFLSH = 0x80, "Signals do not flush.";
        TOSTOP = 0x100, "Background output stops.";
        ECHOCTL = 0x200, "Control characters show as ^X.";
        ECHOPRT = 0x400, "Erase prints what it erases.";
        ECHOKE = 0x800, "Kill rubs out on the screen.";
        FLUSHO = 0x1000, "Output is dropped.";
        PENDIN = 0x4000, "Input is shown again.";
        IEXTEN = 0x8000, "Extended characters work.";
        EXTPROC = 0x1_0000, "Processing is elsewhere.";
    }
}

constants! {
    /// Places in `c_cc`.
    CONTROL_CHARACTERS: usize {
        VINTR = 0, "Interrupt.";
        VQUIT = 1, "Quit.";
        VERASE = 2, "Erases a character.";
        VKILL = 3, "Erases the line.";
        VEOF = 4, "End of file.";
        VTIME = 5, "Time between bytes, in tenths of a second.";
        VMIN = 6, "Least number of bytes.";
        VSWTC = 7, "Unused.";
        VSTART = 8, "Starts output.";
        VSTOP = 9, "Stops output.";
        VSUSP = 10, "Stops the process.";
        VEOL = 11, "End of line.";
        VREPRINT = 12, "Shows the line again.";
        VDISCARD = 13, "Drops output.";
        VWERASE = 14, "Erases a word.";
        VLNEXT = 15, "The next character is literal.";
        VEOL2 = 16, "End of line, too.";
    }

    /// Fields in `c_oflag` and `c_cflag` that are numbers.
    TERMIOS_FIELDS: u32 {
        TABDLY = 0x1800, "Mask of the handling of tabs.";
        TAB0 = 0, "Tabs are sent.";
        XTABS = 0x1800, "Tabs become blanks.";
        CBAUD = 0x100f, "Mask of the speed.";
        CIBAUD = 0x100f_0000, "Mask of the speed of input.";
        B0 = 0, "Hangs up.";
        B9600 = 0xd, "9,600 bits a second.";
        B38400 = 0xf, "38,400 bits a second.";
        BOTHER = 0x1000, "The speed is in a field of its own.";
        B115200 = 0x1002, "115,200 bits a second.";
        CSIZE = 0x30, "Mask of the number of bits.";
        CS5 = 0, "Five bits.";
        CS6 = 0x10, "Six bits.";
        CS7 = 0x20, "Seven bits.";
        CS8 = 0x30, "Eight bits.";
    }

    /// Requests of ioctl(2) for terminals, and the general ones that share their range.
    IOCTLS: u32 {
        TCGETS = 0x5401, "Reads the termios.";
        TCSETS = 0x5402, "Writes the termios.";
        TCSETSW = 0x5403, "Writes the termios after the output.";
        TCSETSF = 0x5404, "Writes the termios after the output, flushes input.";
        TCGETA = 0x5405, "Reads the old termio.";
        TCSETA = 0x5406, "Writes the old termio.";
        TCSETAW = 0x5407, "Writes the old termio after the output.";
        TCSETAF = 0x5408, "Writes the old termio after the output, flushes input.";
        TCSBRK = 0x5409, "Sends a break, or waits for the output.";
        TCXONC = 0x540a, "Stops or starts.";
        TCFLSH = 0x540b, "Flushes.";
        TIOCEXCL = 0x540c, "Exclusive use.";
        TIOCNXCL = 0x540d, "Ends exclusive use.";
        TIOCSCTTY = 0x540e, "Makes it the controlling terminal.";
        TIOCGPGRP = 0x540f, "Reads the foreground group.";
        TIOCSPGRP = 0x5410, "Writes the foreground group.";
        TIOCOUTQ = 0x5411, "Bytes of output that wait.";
        TIOCSTI = 0x5412, "Feigns input.";
        TIOCGWINSZ = 0x5413, "Reads the window's size.";
        TIOCSWINSZ = 0x5414, "Writes the window's size.";
        TIOCMGET = 0x5415, "Reads modem lines.";
        TIOCMBIS = 0x5416, "Sets modem lines.";
        TIOCMBIC = 0x5417, "Clears modem lines.";
        TIOCMSET = 0x5418, "Writes modem lines.";
        FIONREAD = 0x541b, "Bytes that can be read (`TIOCINQ`).";
        TIOCCONS = 0x541d, "Takes the console's output.";
        FIONBIO = 0x5421, "Sets non-blocking mode.";
        TIOCNOTTY = 0x5422, "Gives up the controlling terminal.";
        TIOCSETD = 0x5423, "Sets the line discipline.";
        TIOCGETD = 0x5424, "Reads the line discipline.";
        TCSBRKP = 0x5425, "Sends a break.";
        TIOCGSID = 0x5429, "Reads the session.";
        TCGETS2 = 0x802c_542a, "Reads the termios with speeds.";
        TCSETS2 = 0x402c_542b, "Writes the termios with speeds.";
        TCSETSW2 = 0x402c_542c, "The same after the output.";
        TCSETSF2 = 0x402c_542d, "The same after the output, flushes input.";
        TIOCGPTN = 0x8004_5430, "Reads the number of a pty.";
        TIOCSPTLCK = 0x4004_5431, "Locks a pty.";
        TIOCGPTPEER = 0x5441, "Opens the other end of a pty.";
        FIONCLEX = 0x5450, "Clears close-on-exec.";
        FIOCLEX = 0x5451, "Sets close-on-exec.";
        FIOASYNC = 0x5452, "Sets SIGIO.";
    }

    /// Arguments of TCXONC.
    FLOW_ACTIONS: u32 {
        TCOOFF = 0, "Stops output.";
        TCOON = 1, "Starts output.";
        TCIOFF = 2, "Sends STOP.";
        TCION = 3, "Sends START.";
    }

    /// Arguments of TCFLSH.
    FLUSH_QUEUES: u32 {
        TCIFLUSH = 0, "Input.";
        TCOFLUSH = 1, "Output.";
        TCIOFLUSH = 2, "Both.";
    }
}

/// Number of control characters in the kernel's structures (the C library's has 32).
pub const NCCS: usize = 19;
/// Value in `c_cc` that disables a character.
pub const VDISABLE: u8 = 0;

wire! {
    /// Modes of a terminal as TCGETS and TCSETS pass them.
    #[derive(PartialEq, Eq)]
    Termios {
        /// [`InputFlags`].
        c_iflag: u32,
        /// [`OutputFlags`].
        c_oflag: u32,
        /// [`ControlFlags`].
        c_cflag: u32,
        /// [`LocalFlags`].
        c_lflag: u32,
        /// Line discipline.
        c_line: u8,
        /// Control characters, by [`CONTROL_CHARACTERS`].
        c_cc: [u8; NCCS],
    }

    /// Modes of a terminal with its speeds, as TCGETS2 and TCSETS2 pass them.
    #[derive(PartialEq, Eq)]
    Termios2 {
        /// Modes.
        termios: Termios,
        /// Speed of input, in bits a second.
        c_ispeed: u32,
        /// Speed of output, in bits a second.
        c_ospeed: u32,
    }

    /// Size of a window.
    #[derive(PartialEq, Eq)]
    Winsize {
        /// Rows of characters.
        ws_row: u16,
        /// Columns of characters.
        ws_col: u16,
        /// Width in pixels, or zero.
        ws_xpixel: u16,
        /// Height in pixels, or zero.
        ws_ypixel: u16,
    }
}
