/** Constants of the task model, as the kernel's headers have them. */

/** task->state (sched.h). */
export const TASK_RUNNING = 0;
export const TASK_INTERRUPTIBLE = 1;
export const TASK_UNINTERRUPTIBLE = 2;
export const TASK_STOPPED = 4;
export const TASK_TRACED = 8;
export const EXIT_ZOMBIE = 32;
export const TASK_NOLOAD = 0x400;
/** Kernel threads that wait without counting as load. */
export const TASK_IDLE = TASK_UNINTERRUPTIBLE | TASK_NOLOAD;

/** task->flags (sched.h). */
export const PF_EXITING = 0x4;
export const PF_WQ_WORKER = 0x20;
export const PF_FORKNOEXEC = 0x40;
export const PF_SUPERPRIV = 0x100;
export const PF_NOFREEZE = 0x8000;
export const PF_KTHREAD = 0x200000;
export const PF_RANDOMIZE = 0x400000;

/** clone(2) flags (linux/sched.h). */
export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x10000;
export const CLONE_SYSVSEM = 0x40000;
export const CLONE_IO = 0x80000000 | 0;
/** What pthread_create passes. */
export const CLONE_PTHREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

/** signal->flags (sched/signal.h). */
export const SIGNAL_STOP_STOPPED = 0x1;
export const SIGNAL_GROUP_EXIT = 0x4;
export const SIGNAL_UNKILLABLE = 0x40;

/** Signal numbers (x86). */
export const SIGKILL = 9;
export const SIGSEGV = 11;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;

/** mm->dumpable (linux/sched/coredump.h). */
export const SUID_DUMP_DISABLE = 0;
export const SUID_DUMP_USER = 1;

/** Ptrace modes (linux/ptrace.h). */
export const PTRACE_MODE_READ = 0x1;
export const PTRACE_MODE_ATTACH = 0x2;
export const PTRACE_MODE_FSCREDS = 0x8;
export const PTRACE_MODE_REALCREDS = 0x10;
export const PTRACE_MODE_READ_FSCREDS = PTRACE_MODE_READ | PTRACE_MODE_FSCREDS;
export const PTRACE_MODE_READ_REALCREDS = PTRACE_MODE_READ | PTRACE_MODE_REALCREDS;
export const PTRACE_MODE_ATTACH_FSCREDS = PTRACE_MODE_ATTACH | PTRACE_MODE_FSCREDS;
export const PTRACE_MODE_ATTACH_REALCREDS = PTRACE_MODE_ATTACH | PTRACE_MODE_REALCREDS;
