#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

// Each test has an empty folder of its own, and is in it.
static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int enter_folder(void **state)
{
    char *folder = strdup("/tmp/p2e-test-XXXXXX");
    *state = folder;
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int remove_folder(void **state)
{
    umount2("d", MNT_DETACH); // what a failed test may have left
    int result = chdir("/") || nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    free(*state);
    return result;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *path, const char *text)
{
    struct p2e_buffer b = {0};
    struct p2e_error err = {0};
    if (p2e_file_read(path, 1 << 20, &b, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(b.data, text);
    p2e_buffer_free(&b);
}

static int count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(dir);
    return count;
}

static int count_descriptors(void)
{
    return count_entries("/proc/self/fd");
}

// ---- Reading ------------------------------------------------------------------------------------

static void test_read(void **state)
{
    (void)state;
    put("empty", "");
    assert_content("empty", "");

    struct p2e_buffer b = {0};
    put("a", "123");
    put("b", "45");
    assert_int_equal(p2e_file_read("a", 3, &b, NULL), 0);
    assert_int_equal(p2e_file_read("b", 3, &b, NULL), 0);
    assert_string_equal(b.data, "12345"); // appended
    p2e_buffer_free(&b);
}

static void assert_unreadable(const char *path, int number, const char *sentence)
{
    struct p2e_buffer b = {0};
    struct p2e_error err = {0};
    int descriptors = count_descriptors();
    errno = 0;
    assert_int_equal(p2e_file_read(path, 4, &b, &err), -1);
    assert_int_equal(errno, number);
    assert_string_equal(err.text, sentence);
    assert_int_equal(count_descriptors(), descriptors);
    p2e_buffer_free(&b);
}

static void test_read_refuses(void **state)
{
    (void)state;
    put("long", "12345");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_unreadable("none", ENOENT, "cannot read none: No such file or directory");
    assert_unreadable("long", EFBIG, "cannot read long: it is longer than 4 bytes");
    assert_unreadable(".", EISDIR, "cannot read .: it is a directory, and a file is needed");
    assert_unreadable("fifo", EINVAL,
                      "cannot read fifo: it is not a regular file, and a file is needed");
    assert_unreadable("/dev/zero", EINVAL,
                      "cannot read /dev/zero: it is not a regular file, and a file is needed");
}

// ---- Writing ------------------------------------------------------------------------------------

static void test_write_replaces(void **state)
{
    (void)state;
    mode_t mask = umask(022);
    int descriptors = count_descriptors();
    struct p2e_error err = {0};
    assert_int_equal(p2e_file_write("f", "one", 3, &err), 0);
    assert_content("f", "one");
    assert_int_equal(p2e_file_write("f", "two!", 4, &err), 0);
    assert_content("f", "two!");
    assert_int_equal(p2e_file_write("f", "", 0, &err), 0);
    assert_content("f", "");
    struct stat st;
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(count_entries("."), 1);
    assert_int_equal(count_descriptors(), descriptors);
    umask(mask);
}

static void test_write_obeys_the_umask(void **state)
{
    (void)state;
    mode_t mask = umask(077);
    struct stat st;
    assert_int_equal(p2e_file_write("f", "x", 1, NULL), 0);
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    umask(mask);
}

// The temporary of a crashed process of our pid, or a link laid in its place, is stepped over.
static void test_write_steps_over_what_is_there(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), "f.%d-0.tmp", (int)getpid());
    put("victim", "untouched");
    assert_int_equal(symlink("victim", name), 0);
    assert_int_equal(p2e_file_write("f", "new", 3, NULL), 0);
    assert_content("f", "new");
    assert_content("victim", "untouched");
}

static void test_write_into_no_folder(void **state)
{
    (void)state;
    struct p2e_error err = {0};
    assert_int_equal(p2e_file_write("none/f", "x", 1, &err), -1);
    assert_string_equal(err.text, "cannot write none/f: No such file or directory");
}

static void test_write_over_a_folder_leaves_no_temporary(void **state)
{
    (void)state;
    struct p2e_error err = {0};
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(p2e_file_write("d", "x", 1, &err), -1);
    assert_int_equal(errno, EISDIR);
    assert_string_equal(err.text, "cannot write d: Is a directory");
    assert_int_equal(count_entries("."), 1);
}

static void assert_write_fails_and_keeps_old(const char *folder, int number)
{
    static const char big[1 << 20];
    char path[64];
    snprintf(path, sizeof(path), "%s/f", folder);
    put(path, "old");
    struct p2e_error err = {0};
    assert_int_equal(p2e_file_write(path, big, sizeof(big), &err), -1);
    assert_int_equal(errno, number);
    assert_non_null(strstr(err.text, path));
    assert_content(path, "old");
    assert_int_equal(count_entries(folder), 1);
}

static void test_a_write_that_breaks_off_keeps_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    struct rlimit limit, small = {4096, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &limit);
    small.rlim_max = limit.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_write_fails_and_keeps_old("d", EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);
}

static void test_a_full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    if (mount("tmpfs", "d", "tmpfs", 0, "size=64k") < 0)
        skip(); // needs root
    assert_write_fails_and_keeps_old("d", ENOSPC);
    assert_int_equal(umount("d"), 0);
}

// ---- Folders ------------------------------------------------------------------------------------

static void test_make_dir(void **state)
{
    static const char *const paths[] = {"a/b/c", "a/b/c", "a/b/d/", "x//y", ".", "/", "/tmp"};
    (void)state;
    mode_t mask = umask(022);
    struct stat st;
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        struct p2e_error err = {0};
        if (p2e_file_make_dir(paths[i], &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(stat(paths[i], &st), 0);
        assert_true(S_ISDIR(st.st_mode));
    }
    assert_int_equal(stat("a/b", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    umask(mask);
}

static void test_make_dir_fails(void **state)
{
    static const char *const cases[][2] = {
        {"f", "cannot make the folder f: Not a directory"},
        {"f/g", "cannot make the folder f/g: Not a directory"},
        {"dangling", "cannot make the folder dangling: No such file or directory"},
        {"", "cannot make a folder: its name is empty"},
    };
    (void)state;
    put("f", "");
    assert_int_equal(symlink("nothing", "dangling"), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct p2e_error err = {0};
        assert_int_equal(p2e_file_make_dir(cases[i][0], &err), -1);
        assert_string_equal(err.text, cases[i][1]);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_read),
        IN_FOLDER(test_read_refuses),
        IN_FOLDER(test_write_replaces),
        IN_FOLDER(test_write_obeys_the_umask),
        IN_FOLDER(test_write_steps_over_what_is_there),
        IN_FOLDER(test_write_into_no_folder),
        IN_FOLDER(test_write_over_a_folder_leaves_no_temporary),
        IN_FOLDER(test_a_write_that_breaks_off_keeps_the_old_file),
        IN_FOLDER(test_a_full_disk_keeps_the_old_file),
        IN_FOLDER(test_make_dir),
        IN_FOLDER(test_make_dir_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
