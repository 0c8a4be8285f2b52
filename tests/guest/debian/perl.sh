# Debian's perl-base.
cat > t.pl <<'P'
use strict; use warnings; use POSIX (); use Socket; use Fcntl ':flock';
$| = 1;
my $pid = fork() // die; if (!$pid) { exit 3 } waitpid($pid, 0); print "child ", $? >> 8, "\n";
open(my $pipe, '-|', 'echo', 'from a pipe') or die; print <$pipe>; close $pipe;
print `echo backticks`; system('sh', '-c', 'exit 5'); print "system ", $? >> 8, "\n";
$SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select(undef, undef, undef, 5);
eval { local $SIG{ALRM} = sub { die "late\n" }; select(undef, undef, undef, 60) if !alarm(1); }; print "eval: $@";
open(my $f, '+>', 'data') or die; flock($f, LOCK_EX) or die; print $f "b\na\n"; seek($f, 0, 0); print sort <$f>; close $f;
my %h; $h{$_ % 7}++ for 1 .. 100000; print join(',', map { "$_=$h{$_}" } sort keys %h), "\n";
print "match $1\n" if 'key=value' =~ /=(\w+)/; my @s = stat('data'); print "size $s[7]\n";
print join(' ', sort { $b <=> $a } 3, 10, 2), "\n"; printf "%s %.3f\n", scalar reverse('abc'), 2 ** 0.5;
opendir(my $d, '.') or die; print join(' ', sort grep { !/^\./ } readdir $d), "\n"; rename 'data', 'moved' or die; unlink 'moved' or die;
pipe(my $r, my $w) or die; if (!fork()) { close $r; print $w "through a pipe\n"; close $w; POSIX::_exit(0) } close $w; print <$r>; wait;
print "uname ", (POSIX::uname())[0], "\n"; print "pack ", unpack('H*', pack('Nn', 1, 2)), "\n"; local $0 = 'renamed'; print "end\n";
P
perl t.pl; { perl -e 'kill 9, $$'; } 2> /dev/null; echo "killed $?"; perl -ne 'print if /b/' <<< $'abc\nxyz'; perl -MList::Util=sum -e 'print sum(1..10), "\n"'
