#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sluice/base/mem.h"

#include "scene.h"

static char *folder;

static void setup(void)
{
	folder = folder_new();
}

static void teardown(void)
{
	folder_remove(folder);
}

/* sluice.conf with this text, in the test's folder. */
static struct loaded load_text(const char *text)
{
	char *file = write_file(folder, "sluice.conf", text);
	struct loaded l = load_file(file);

	free(file);
	return l;
}

static void add_file(const char *name, const char *text)
{
	free(write_file(folder, name, text));
}

static void add_folder(const char *name)
{
	char *path = mem_print("%s/%s", folder, name);

	cr_assert_eq(mkdir(path, 0700), 0);
	free(path);
}

static void add_pipe(const char *name)
{
	char *path = mem_print("%s/%s", folder, name);

	cr_assert_eq(mkfifo(path, 0600), 0);
	free(path);
}

static void add_large_file(const char *name, size_t bytes)
{
	char *text = mem_alloc(bytes + 1);

	memset(text, '\n', bytes);
	text[bytes] = '\0';
	add_file(name, text);
	free(text);
}

static struct loaded load_named(const char *name)
{
	char *path = mem_print("%s/%s", folder, name);
	struct loaded l = load_file(path);

	free(path);
	return l;
}

/* An include of name is refused at line 2 with these words. */
static void refuses_include(const char *name, const char *words)
{
	char *text = mem_print("# one\n@include \"%s\"\n" LEAST, name);
	struct loaded l = load_text(text);

	cr_assert_eq(l.problems.n, 1);
	cr_expect(told(&l, "/sluice.conf:2: @include: "), "%s", l.problems.text[0]);
	cr_expect(told(&l, words), "%s", l.problems.text[0]);
	unload(&l);
	free(text);
}

TestSuite(text, .init = setup, .fini = teardown);

Test(text, a_file_that_cannot_be_read_is_named_once)
{
	struct loaded missing = load_file("/scene/missing.conf");
	struct loaded device = load_file("/dev/zero");

	cr_assert_eq(missing.problems.n, 1);
	cr_expect_str_eq(missing.problems.text[0],
		"/scene/missing.conf: cannot be read: No such file or directory");
	cr_expect_str_eq(device.problems.text[0],
		"/dev/zero: is a device: only regular files are read");
	unload(&device);
	unload(&missing);
}

Test(text, a_folder_is_refused)
{
	struct loaded l = load_file(folder);

	cr_assert(told(&l, "is a folder: only regular files are read"));
	unload(&l);
}

Test(text, a_pipe_is_refused_without_waiting_for_a_writer, .timeout = 10)
{
	add_pipe("pipe");

	struct loaded l = load_named("pipe");

	cr_assert(told(&l, "is a pipe: only regular files are read"));
	unload(&l);
}

Test(text, a_file_of_more_than_4_mib_is_refused)
{
	add_large_file("large.conf", (4u << 20) + 1);

	struct loaded l = load_named("large.conf");

	cr_assert(told(&l, "at most 4 MiB"));
	unload(&l);
}

Test(text, a_file_of_4_mib_is_read)
{
	add_large_file("large.conf", 4u << 20);

	struct loaded l = load_named("large.conf");

	cr_assert_not(told(&l, "4 MiB"));
	cr_assert(told(&l, "listeners: is missing"));
	unload(&l);
}

Test(text, includes_count_towards_the_4_mib)
{
	add_large_file("half.conf", 3u << 20);

	struct loaded l = load_text("@include \"half.conf\"\n@include \"half.conf\"\n");

	cr_assert(told(&l, "at most 4 MiB are read, includes counted"));
	unload(&l);
}

Test(text, an_include_of_a_folder_is_refused_at_its_line)
{
	add_folder("pools.d");

	refuses_include("pools.d", "/pools.d is a folder");
}

Test(text, an_include_of_a_pipe_is_refused_without_waiting, .timeout = 10)
{
	add_pipe("pipe");

	refuses_include("pipe", "is a pipe");
}

Test(text, an_include_of_nothing_is_refused_at_its_line)
{
	refuses_include("missing.conf",
		"/missing.conf cannot be read: No such file or directory");
}

Test(text, an_include_stands_in_the_place_of_its_line)
{
	add_file("old.conf",
		"old = { servers = ( { address = \"127.0.0.1:9001\"; } ); };");

	struct loaded l =
		load_text("pools = {\n@include \"old.conf\"\n};\n" LISTENERS ROUTES);

	expect_accepted(&l);
	cr_assert_str_eq(l.c->pools[0].name, "old");
	unload(&l);
}

Test(text, an_include_is_relative_to_the_folder_of_its_own_file)
{
	add_folder("sub");
	add_file("sub/a.conf", "@include \"b.conf\"\n");
	add_file("sub/b.conf", LISTENERS);

	struct loaded l = load_text("@include \"sub/a.conf\"\n" POOLS ROUTES);

	expect_accepted(&l);
	unload(&l);
}

Test(text, problems_are_told_with_the_line_of_the_file_they_stand_in)
{
	add_file("a.conf", "\n\nworkers = 65;\n");

	struct loaded l = load_text("# 1\n@include \"a.conf\"\nwokers = 1;\n" LEAST);

	cr_assert_eq(l.problems.n, 2);
	cr_assert(told(&l, "/a.conf:3: workers: expected 0..64, got 65"));
	cr_assert(told(&l, "/sluice.conf:3: wokers: unknown setting"));
	unload(&l);
}

Test(text, includes_nest_8_deep)
{
	add_file("8.conf", LISTENERS);
	add_file("7.conf", "@include \"8.conf\"\n");
	add_file("6.conf", "@include \"7.conf\"\n");
	add_file("5.conf", "@include \"6.conf\"\n");
	add_file("4.conf", "@include \"5.conf\"\n");
	add_file("3.conf", "@include \"4.conf\"\n");
	add_file("2.conf", "@include \"3.conf\"\n");
	add_file("1.conf", "@include \"2.conf\"\n");

	struct loaded deep = load_text("@include \"1.conf\"\n" POOLS ROUTES);
	add_file("0.conf", "@include \"1.conf\"\n");
	struct loaded deeper = load_text("@include \"0.conf\"\n" POOLS ROUTES);

	expect_accepted(&deep);
	cr_assert(told(&deeper, "/7.conf:1: @include \"8.conf\" is not followed"));
	unload(&deeper);
	unload(&deep);
}

Test(text, a_file_that_includes_itself_is_refused)
{
	struct loaded l = load_text("@include \"sluice.conf\"\n");

	cr_assert(told(&l, "does a file include itself?"));
	unload(&l);
}

Test(text, an_include_in_a_comment_or_behind_a_setting_is_not_followed)
{
	struct loaded comment = load_text(
		"/*\n@include \"x\"\n*/\n# @include \"x\"\n//@include \"x\"\n" LEAST);
	struct loaded behind = load_text("workers = 1; @include \"x\"\n" LEAST);

	expect_accepted(&comment);
	cr_assert(told(&behind, "/sluice.conf:1: unexpected character @"));
	unload(&behind);
	unload(&comment);
}

Test(text, an_include_stands_alone_on_its_line)
{
	struct loaded l = load_text("@include \"a.conf\" workers = 1;\n" LEAST);

	cr_assert(told(
		&l, ":1: expected @include \"FILE\" and nothing else on its line"));
	unload(&l);
}

Test(text, a_text_does_not_go_on_in_the_next_line)
{
	struct loaded l =
		load("workers = 1;\nlog = { level = \"info\n@include \"x\"\n");

	cr_assert_eq(l.problems.n, 1);
	cr_assert(told(&l, ":2: a text has no end on its line"));
	unload(&l);
}

Test(text, a_comment_without_an_end_is_told_where_it_begins)
{
	struct loaded l = load("\n/* never\nclosed\n");

	cr_assert_eq(l.problems.n, 1);
	cr_assert(told(&l, ":2: this comment is never closed"));
	unload(&l);
}

Test(text, a_zero_byte_is_refused_at_its_line)
{
	static const char text[] = "workers = 1;\nlog = \0{ };";

	struct loaded l = load_bytes(text, sizeof(text) - 1);

	cr_assert(told(&l, ":2: a zero byte"));
	unload(&l);
}

Test(text, a_byte_order_mark_and_crlf_are_read_over)
{
	struct loaded l = load("\xef\xbb\xbfworkers = 3;\r\nlog = { };\r\n" LEAST);

	expect_accepted(&l);
	cr_assert_eq(l.c->workers, 3);
	unload(&l);
}

Test(text, the_hash_is_of_the_text_with_its_includes_and_comments)
{
	add_file("a.conf", "workers = 1;\n");
	struct loaded first = load_text("@include \"a.conf\"\n" LEAST);
	struct loaded same = load_text("@include \"a.conf\"\n" LEAST);
	add_file("a.conf", "workers = 1; # one\n");
	struct loaded other = load_text("@include \"a.conf\"\n" LEAST);

	cr_assert_eq(strlen(first.c->hash), 64);
	cr_assert_str_eq(first.c->hash, same.c->hash);
	cr_assert_str_neq(first.c->hash, other.c->hash);
	unload(&other);
	unload(&same);
	unload(&first);
}

Test(text, the_file_is_kept_as_an_absolute_path)
{
	add_file("sluice.conf", LEAST);
	cr_assert_eq(chdir(folder), 0);

	struct loaded l = load_file("sluice.conf");

	expect_accepted(&l);
	cr_assert_eq(l.c->file[0], '/');
	cr_assert_str_eq(strrchr(l.c->file, '/'), "/sluice.conf");
	unload(&l);
}
