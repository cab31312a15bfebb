/*
 * A client of `synthproc bench`: reads one file over and over for a while, when it is told to.
 *
 * Each line of standard input is "MODE MILLISECONDS PATH[ QUESTION]". MODE: "read" opens, reads to the end and closes;
 * "stat" looks the path up; "ask" opens, writes QUESTION, reads the answer and closes. The answer is a line
 * "READS ERRORS NANOSECONDS ERRNO", ERRNO that of the last error or 0. Ends with standard input.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char buffer[65536];

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* 0, or an errno. */
static int read_file(const char *path, const char *question) {
  int fd = open(path, question == NULL ? O_RDONLY : O_RDWR);
  if (fd < 0) return errno;
  int error = 0;
  ssize_t n;
  if (question != NULL && write(fd, question, strlen(question)) < 0) error = errno;
  while (error == 0 && (n = read(fd, buffer, sizeof buffer)) != 0) {
    if (n < 0) error = errno;
  }
  close(fd);
  return error;
}

static int once(const char *mode, const char *path, const char *question) {
  struct stat attributes;
  if (strcmp(mode, "stat") == 0) return stat(path, &attributes) == 0 ? 0 : errno;
  return read_file(path, strcmp(mode, "ask") == 0 ? question : NULL);
}

static void run(const char *mode, long milliseconds, const char *path, const char *question) {
  long reads = 0, errors = 0;
  int last = 0;
  long long start = now(), end = start + milliseconds * 1000000LL;
  while (now() < end) {
    int error = once(mode, path, question);
    if (error != 0) {
      errors++;
      last = error;
    }
    reads++;
  }
  printf("%ld %ld %lld %d\n", reads, errors, now() - start, last);
  fflush(stdout);
}

int main(void) {
  static char line[8192];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    char *rest = NULL;
    char *mode = strtok_r(line, " ", &rest);
    char *milliseconds = strtok_r(NULL, " ", &rest);
    char *path = strtok_r(NULL, " ", &rest);
    if (path == NULL) return 2;
    run(mode, atol(milliseconds), path, rest == NULL ? "" : rest);
  }
  return 0;
}
