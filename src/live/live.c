/*
 * The mapped file: a head that says what it is, then a fixed table of words.
 *
 * A new file is made complete under another name and then linked into place,
 * so that nobody ever maps half a file. All that is shared in it is lock-free
 * atomics, because a process may be killed at any instruction.
 */
#include "live_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sluice/base/mem.h"

enum { PPM_BITS = 20, LATCH_BITS = 2, GENERATION_BITS = 40, PPM_MAX = 1000000 };
enum { VERSION = 1 };

static const char magic[LIVE_MAGIC] = "sluiceLV";

/* The file outlives this program: what is below is its format. */
static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
	"a lock in the file would be left locked by kill -9");
static_assert(sizeof(_Atomic uint64_t) == 8 && sizeof(_Atomic uint32_t) == 4,
	"an atomic is its value and nothing else");
static_assert(offsetof(struct layout, cutback_wanted) == 64, "the head's format");
static_assert(offsetof(struct layout, cutback_done) == 72, "the head's format");
static_assert(offsetof(struct layout, word) == 128, "the head's format");
static_assert(sizeof(struct live_word) == 128, "a word's format");
static_assert(offsetof(struct live_word, packed) == 64, "a word's format");
static_assert(offsetof(struct live_word, epoch) == 72, "a word's format");
static_assert(PPM_MAX < 1 << PPM_BITS && LIVE_CUTBACK < 1 << LATCH_BITS &&
		      PPM_BITS + LATCH_BITS + GENERATION_BITS <= 64,
	"weight, latch and generation fit into one word");

static int write_head(int fd, struct err *err)
{
	struct head head = { .version = VERSION, .words = LIVE_WORDS };

	memcpy(head.magic, magic, sizeof(magic));
	errno = posix_fallocate(fd, 0, sizeof(struct layout));
	if (errno != 0)
		return err_errno(
			err, "cannot reserve %zu bytes", sizeof(struct layout));
	if (pwrite(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return err_errno(err, "cannot write");
	if (fsync(fd) == -1)
		return err_errno(err, "cannot sync");
	return 0;
}

/* Best effort: without it the file is only lost when the power is, too. */
static void sync_folder(const char *path)
{
	char *copy = mem_text(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd != -1) {
		(void)fsync(fd);
		close(fd);
	}
	free(copy);
}

/* Another process may be quicker: then its file is the one. */
static int publish(const char *made, const char *path, bool *fresh, struct err *err)
{
	if (link(made, path) == -1) {
		if (errno != EEXIST)
			return err_errno(err, "cannot link into place");
		return 0;
	}
	*fresh = true;
	sync_folder(path);
	return 0;
}

static int make(const char *path, bool *fresh, struct err *err)
{
	char *name = mem_print("%s.XXXXXX", path);
	int fd = mkostemp(name, O_CLOEXEC);
	int rc = -1;

	if (fd == -1) {
		err_errno(err, "cannot make %s", name);
		free(name);
		return -1;
	}
	if (write_head(fd, err) == 0)
		rc = publish(name, path, fresh, err);
	int why = errno;

	(void)unlink(name);
	close(fd);
	free(name);
	errno = why;
	return rc;
}

/* errno says why it failed. O_NONBLOCK, lest a pipe of that name stop the start. */
static int open_or_make(const char *path, bool *fresh, struct err *err)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK;
	int fd = open(path, flags);

	*fresh = false;
	if (fd == -1 && errno == ENOENT) {
		if (make(path, fresh, err) != 0)
			return -1;
		fd = open(path, flags);
	}
	if (fd == -1)
		return err_errno(err, "cannot open");
	return fd;
}

static bool is_sound(const struct live_word *w)
{
	struct live_value v = live_load(w);

	return memchr(w->name, '\0', LIVE_NAME_SIZE) != NULL && v.new_ppm <= PPM_MAX &&
	       v.latch <= LIVE_CUTBACK;
}

static int check_size(int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return err_errno(err, "cannot stat");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_FORMAT, "not a regular file");
	if (st.st_size != (off_t)sizeof(struct layout))
		return err_set(err, ERR_FORMAT,
			"not a live file: expected %zu bytes, got %lld",
			sizeof(struct layout), (long long)st.st_size);
	return 0;
}

static int check_content(const struct layout *map, struct err *err)
{
	const struct head *head = &map->head;

	if (memcmp(head->magic, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_FORMAT, "not a live file: wrong magic");
	if (head->version != VERSION || head->words != LIVE_WORDS)
		return err_set(err, ERR_FORMAT,
			"expected version %d with %d words, got version %u with %u",
			VERSION, LIVE_WORDS, head->version, head->words);
	for (size_t i = 0; i < LIVE_WORDS; i++)
		if (!is_sound(&map->word[i]))
			return err_set(err, ERR_FORMAT, "word %zu is damaged", i);
	return 0;
}

static void *map_words(int flags, int fd)
{
	const int rights = PROT_READ | PROT_WRITE;

	return mmap(NULL, sizeof(struct layout), rights, MAP_SHARED | flags, fd, 0);
}

static bool remember(struct live *live, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return false;
	live->device = st.st_dev;
	live->inode = st.st_ino;
	return true;
}

static int map_file(struct live *live, int fd, struct err *err)
{
	if (check_size(fd, err) != 0)
		return -1;
	void *map = map_words(0, fd);
	if (map == MAP_FAILED)
		return err_errno(err, "cannot map");
	live->map = map;
	live->is_kept = remember(live, fd);
	return check_content(live->map, err);
}

static void fill_head(struct layout *map)
{
	map->head = (struct head){ .version = VERSION, .words = LIVE_WORDS };
	memcpy(map->head.magic, magic, sizeof(magic));
}

static int read_words(struct layout *map, int fd, struct err *err)
{
	if (check_size(fd, err) != 0)
		return -1;
	if (pread(fd, map, sizeof(*map), 0) != (ssize_t)sizeof(*map))
		return err_errno(err, "cannot read");
	return check_content(map, err);
}

/* What the file says, or nothing where there is none, in memory. */
static int map_copy(struct live *live, bool *fresh, struct err *err)
{
	int fd = open(live->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	void *map = map_words(MAP_ANONYMOUS, -1);

	*fresh = fd == -1 && errno == ENOENT;
	if (map == MAP_FAILED)
		rc = err_errno(err, "cannot map");
	else
		live->map = map;
	if (rc == 0 && fd != -1)
		rc = read_words(live->map, fd, err);
	else if (rc == 0 && *fresh)
		fill_head(live->map);
	else if (rc == 0)
		rc = err_errno(err, "cannot open");
	if (fd != -1)
		close(fd);
	return rc;
}

static bool is_no_room(int number)
{
	return number == EROFS || number == ENOSPC || number == EDQUOT ||
	       number == EFBIG;
}

static int open_words(struct live *live, bool *fresh, struct err *err)
{
	int fd = open_or_make(live->path, fresh, err);
	int rc;

	if (fd == -1 && is_no_room(errno))
		return map_copy(live, fresh, err);
	if (fd == -1)
		return -1;
	rc = map_file(live, fd, err);
	close(fd); /* the map holds the file */
	return rc;
}

int live_open(struct live **out, const char *path, bool *fresh, struct err *err)
{
	struct live *live = mem_zero(sizeof(*live));

	live->path = mem_text(path);
	if (open_words(live, fresh, err) != 0)
		goto fail;
	*out = live;
	return 0;
fail:
	live_close(live);
	return err_wrap(err, "%s", path);
}

bool live_is_kept(const struct live *live)
{
	return live->is_kept;
}

bool live_look(struct live *live)
{
	struct stat st;

	if (!live->is_kept)
		return true;
	live->is_kept = !watch_was_cut() && stat(live->path, &st) == 0 &&
			st.st_dev == live->device && st.st_ino == live->inode &&
			st.st_size == (off_t)sizeof(*live->map);
	return live->is_kept;
}

/* A signal may add to the counter until the very moment of the exchange. The old words
 * are mapped a second time, so that what came last is seen after it. */
static int exchange(struct live *live, struct layout *file, struct err *err)
{
	const size_t size = sizeof(*live->map);
	struct layout *old = mremap(live->map, 0, size, MREMAP_MAYMOVE);

	if (old == MAP_FAILED)
		return err_errno(err, "cannot map twice");
	if (mremap(file, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, live->map) ==
		MAP_FAILED) {
		(void)munmap(old, size);
		return err_errno(err, "cannot map");
	}
	while (live_cutback_wanted(live) < atomic_load(&old->cutback_wanted))
		live_cutback_all(live);
	(void)munmap(old, size);
	return 0;
}

int live_keep(struct live *live, struct err *err)
{
	bool fresh;
	int fd = open_or_make(live->path, &fresh, err);
	struct layout *file;

	if (fd == -1)
		return err_wrap(err, "%s", live->path);
	if (pwrite(fd, live->map, sizeof(*live->map), 0) !=
			(ssize_t)sizeof(*live->map) ||
		fsync(fd) == -1) {
		(void)err_errno(err, "%s: cannot write", live->path);
		close(fd);
		return -1;
	}
	file = map_words(0, fd);
	bool is_known = remember(live, fd);
	close(fd);
	if (file == MAP_FAILED)
		return err_errno(err, "%s: cannot map", live->path);
	if (exchange(live, file, err) != 0) {
		(void)munmap(file, sizeof(*file));
		return err_wrap(err, "%s", live->path);
	}
	live->is_kept = is_known;
	return 0;
}

void live_close(struct live *live)
{
	if (live == NULL)
		return;
	watch_end(live);
	if (live->map != NULL)
		munmap(live->map, sizeof(*live->map));
	free(live->path);
	free(live);
}

/* The first byte of a name is stored last and read first: another process that
 * looks names up in the same file sees a whole name or a free slot. */
static bool is_free(const struct live_word *w)
{
	return __atomic_load_n(&w->name[0], __ATOMIC_ACQUIRE) == '\0';
}

static struct live_word *take_slot(struct live_word *w, const char *name)
{
	atomic_store(&w->packed, 0);
	atomic_store(&w->epoch, 0);
	memset(w->name + 1, 0, sizeof(w->name) - 1);
	memcpy(w->name + 1, name + 1, strlen(name + 1));
	__atomic_store_n(&w->name[0], name[0], __ATOMIC_RELEASE);
	watch_note(w, sizeof(*w));
	return w;
}

struct live_word *live_find(struct live *live, const char *name, bool add)
{
	struct live_word *gap = NULL;

	if (name[0] == '\0' || strlen(name) >= LIVE_NAME_SIZE)
		return NULL;
	for (size_t i = 0; i < LIVE_WORDS; i++) {
		struct live_word *w = &live->map->word[i];

		if (!is_free(w) && strcmp(w->name, name) == 0)
			return w;
		if (!gap && is_free(w))
			gap = w;
	}
	return add && gap ? take_slot(gap, name) : NULL;
}

size_t live_give_back(struct live *live,
	bool (*is_needed)(void *arg, const struct live_word *w), void *arg)
{
	size_t n = 0;

	for (size_t i = 0; i < LIVE_WORDS; i++) {
		struct live_word *w = &live->map->word[i];

		if (is_free(w) || live_load(w).latch != LIVE_OPEN || is_needed(arg, w))
			continue;
		__atomic_store_n(&w->name[0], '\0', __ATOMIC_RELEASE);
		watch_note(w, sizeof(*w));
		n++;
	}
	return n;
}

void live_store(struct live_word *w, struct live_value value)
{
	uint64_t generation = value.generation & ((UINT64_C(1) << GENERATION_BITS) - 1);

	assert(value.new_ppm <= PPM_MAX);
	assert(value.latch <= LIVE_CUTBACK);
	atomic_store_explicit(&w->packed,
		generation << (PPM_BITS + LATCH_BITS) |
			(uint64_t)value.latch << PPM_BITS | value.new_ppm,
		memory_order_release);
	watch_note(w, sizeof(*w));
}

struct live_value live_load(const struct live_word *w)
{
	uint64_t packed = atomic_load_explicit(&w->packed, memory_order_acquire);

	return (struct live_value){
		.new_ppm = packed & ((1U << PPM_BITS) - 1),
		.latch = packed >> PPM_BITS & ((1U << LATCH_BITS) - 1),
		.generation = packed >> (PPM_BITS + LATCH_BITS),
	};
}

void live_cutback_all(struct live *live)
{
	atomic_fetch_add(&live->map->cutback_wanted, 1);
	watch_note(&live->map->cutback_wanted, sizeof(live->map->cutback_wanted));
}

uint64_t live_cutback_wanted(const struct live *live)
{
	return atomic_load(&live->map->cutback_wanted);
}

uint64_t live_cutback_done(const struct live *live)
{
	return atomic_load(&live->map->cutback_done);
}

void live_set_cutback_done(struct live *live, uint64_t value)
{
	atomic_store(&live->map->cutback_done, value);
	watch_note(&live->map->cutback_done, sizeof(live->map->cutback_done));
}

/* The counters before the word: whoever sees a cutback done sees the latch that
 * was stored before it, so new gets nothing in between. */
uint32_t live_effective_ppm(const struct live *live, const struct live_word *w)
{
	if (live_cutback_wanted(live) > live_cutback_done(live))
		return 0;
	struct live_value v = live_load(w);
	return v.latch == LIVE_OPEN ? v.new_ppm : 0;
}
