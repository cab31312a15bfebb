/*
 * A process that does one system call for each line of its standard input and says how it went: the result in decimal, or
 * minus an errno. It allocates nothing, so that its memory changes by these calls alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORDS 24

static char line[4096];
static char *words[WORDS + 1];
static int count;

static long number(int at) { return at < count ? strtol(words[at], NULL, 0) : 0; }

static int is(const char *name) { return strcmp(words[0], name) == 0; }

/* Reads a line, byte by byte, and cuts it into words. */
static int next_line(void) {
  int length = 0;
  while (length < (int)sizeof line - 1) {
    if (read(0, line + length, 1) != 1) return 0;
    if (line[length] == '\n') break;
    length++;
  }
  line[length] = 0;
  count = 0;
  for (char *word = strtok(line, " "); word != NULL && count < WORDS; word = strtok(NULL, " ")) words[count++] = word;
  words[count] = NULL;
  return count > 0;
}

static int protection(const char *text) {
  return (strchr(text, 'r') ? PROT_READ : 0) | (strchr(text, 'w') ? PROT_WRITE : 0) | (strchr(text, 'x') ? PROT_EXEC : 0);
}

/* mmap ADDR LENGTH PROT FLAGS FD OFFSET: address 0 lets the kernel choose. */
static long map(void) {
  return (long)mmap((void *)number(1), number(2), protection(words[3]), (int)number(4), (int)number(5), number(6));
}

static long touch(char *at, long pages) {
  for (long i = 0; i < pages; i++) at[i * 4096] = 1;
  return pages;
}

/* The system call itself: the C library would start a thread for some of them. */
static long create_timer(void) {
  struct sigevent event;
  int id = -1;
  memset(&event, 0, sizeof event);
  event.sigev_notify = (int)number(3);
  event.sigev_signo = (int)number(2);
  if (syscall(SYS_timer_create, number(1), &event, &id) != 0) return -1;
  return id;
}

static long set_limit(void) {
  struct rlimit limit = {(rlim_t)number(2), (rlim_t)number(3)};
  return setrlimit((int)number(1), &limit);
}

/* The environment is one variable. */
static long execute(void) {
  char *environment[] = {"TWIN=after", NULL};
  return execve(words[1], words + 1, environment);
}

static long call(void) {
  if (is("mmap")) return map();
  if (is("munmap")) return munmap((void *)number(1), number(2));
  if (is("mprotect")) return mprotect((void *)number(1), number(2), protection(words[3]));
  if (is("mremap")) return (long)mremap((void *)number(1), number(2), number(3), (int)number(4), (void *)number(5));
  if (is("brk")) return sbrk(number(1)) == (void *)-1 ? -1 : 0;
  if (is("touch")) return touch((char *)number(1), number(2));
  if (is("mlock")) return mlock((void *)number(1), number(2));
  if (is("munlock")) return munlock((void *)number(1), number(2));
  if (is("timer_create")) return create_timer();
  if (is("timer_delete")) return syscall(SYS_timer_delete, number(1));
  if (is("limit")) return set_limit();
  if (is("comm")) return prctl(PR_SET_NAME, words[1]);
  if (is("dumpable")) return prctl(PR_SET_DUMPABLE, number(1));
  if (is("nice")) return setpriority(PRIO_PROCESS, 0, (int)number(1));
  if (is("open")) return open(words[1], (int)number(2));
  if (is("socket")) return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (is("close")) return close((int)number(1));
  if (is("dup")) return dup((int)number(1));
  if (is("setpgid")) return setpgid(0, 0);
  if (is("exec")) return execute();
  errno = ENOSYS;
  return -1;
}

static void say(long result) {
  char text[32];
  int length = snprintf(text, sizeof text, "%ld\n", result);
  if (write(1, text, length) != length) _exit(1);
}

int main(void) {
  say(0);
  while (next_line()) {
    errno = 0;
    long result = call();
    say(result == -1 ? -errno : result);
  }
  return 0;
}
