"""Counted B+ tree of (score, member) pairs. The design comment is in btree.pxd."""
from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_give_up, mem_realloc
from fastredis.ds.native cimport likely, prefetch

cdef enum:
    FIRST_ROOM = 6                      # pairs of the leaf that a tree begins with
    LEAF_GIVES = BT_LEAF * 7 // 8       # a full leaf gives pairs to a sibling with fewer than so many
    LEAF_MERGE = BT_LEAF * 7 // 8       # leaves with up to so many pairs together become one
    INNER_MERGE = BT_INNER * 7 // 8     # the same for the children of inner nodes
    LEAF_LINES = 7                      # cache lines of a leaf that header and scores mostly take
    RUN = 12                            # pairs that are sorted by insertion before runs are merged

# One level of the way down to a leaf: the child `index` of `node`.
cdef struct Step:
    BtInner* node
    uint32_t index

# Inner nodes taken before a split begins, so that it cannot fail half-way.
cdef struct Spares:
    BtInner* inner[BT_DEPTH + 1]
    int count


# ---------------------------------------------------------------- order

cdef inline int compare_text(const char* a, size_t a_size, const char* b, size_t b_size) noexcept:
    """As memcmp; of two texts that begin alike the shorter is less."""
    cdef int order = memcmp(a, b, min(a_size, b_size))

    return order if order else (a_size > b_size) - (a_size < b_size)


cdef int compare_members(const BTree* t, const void* a, const void* b) noexcept:
    cdef const char* a_text
    cdef const char* b_text
    cdef size_t a_size, b_size

    if a == b:
        return 0
    t.key_of(a, &a_text, &a_size)
    t.key_of(b, &b_text, &b_size)
    return compare_text(a_text, a_size, b_text, b_size)


cdef inline bint less(const BTree* t, double a_score, const void* a, double b_score, const void* b) noexcept:
    return a_score < b_score or (a_score == b_score and compare_members(t, a, b) < 0)


cdef inline uint32_t scores_below(const double* scores, uint32_t n, double score) noexcept:
    """How many of n scores in order are below this one. Without a branch to guess."""
    cdef uint32_t base = 0, half

    while n > 1:
        half = n >> 1
        base += half * (scores[base + half - 1] < score)
        n -= half
    return base + (n == 1 and scores[base] < score)


cdef inline uint32_t scores_up_to(const double* scores, uint32_t n, double score) noexcept:
    """How many of n scores in order are not above this one."""
    cdef uint32_t base = 0, half

    while n > 1:
        half = n >> 1
        base += half * (scores[base + half - 1] <= score)
        n -= half
    return base + (n == 1 and scores[base] <= score)


cdef uint32_t pairs_below(const BTree* t, const double* scores, void** members, uint32_t n, double score,
                          const void* member, bint itself) noexcept:
    """How many of n pairs in order are below this one, or (itself) not above it. Reads members on equal scores only."""
    cdef uint32_t low = scores_below(scores, n, score)
    cdef uint32_t high, middle

    if low == n or scores[low] != score:
        return low
    high = low + 1                  # mostly it is the only one with its score
    if high < n and scores[high] == score:
        high = low + scores_up_to(scores + low, n - low, score)
    while low < high:
        middle = (low + high) >> 1
        if compare_members(t, members[middle], member) < itself:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline uint32_t place_of(const double* scores, void** members, uint32_t n, double score,
                              const void* member) noexcept:
    """The place of a pair that is there, found by its pointer: no member is read, however many have this score."""
    cdef uint32_t place = scores_below(scores, n, score)

    while place < n and members[place] != member and scores[place] == score:
        place += 1
    return place


cdef uint32_t texts_below(const BTree* t, void** members, uint32_t n, const char* text, size_t size,
                          bint itself) noexcept:
    """How many of n members are below these bytes, or (itself) not above them."""
    cdef const char* other
    cdef size_t other_size
    cdef uint32_t low = 0, high = n, middle

    while low < high:
        middle = (low + high) >> 1
        t.key_of(members[middle], &other, &other_size)
        if compare_text(other, other_size, text, size) < itself:
            low = middle + 1
        else:
            high = middle
    return low


# ---------------------------------------------------------------- nodes

cdef inline size_t leaf_size(uint32_t room) noexcept:
    return sizeof(BtLeaf) + room * (sizeof(double) + sizeof(void*))


cdef BtLeaf* leaf_new(BTree* t, uint32_t room) noexcept:
    cdef BtLeaf* leaf = <BtLeaf*>mem_alloc(t.account, leaf_size(room))

    leaf.prev = leaf.next = NULL
    leaf.count = 0
    leaf.room = room
    t.leaves += 1
    return leaf


cdef void leaf_free(BTree* t, BtLeaf* leaf) noexcept:
    mem_free(t.account, leaf, leaf_size(leaf.room))
    t.leaves -= 1


cdef BtInner* inner_new(BTree* t) noexcept:
    cdef BtInner* node = <BtInner*>mem_alloc(t.account, sizeof(BtInner))

    node.count = 0
    t.inners += 1
    return node


cdef void inner_free(BTree* t, BtInner* node) noexcept:
    mem_free(t.account, node, sizeof(BtInner))
    t.inners -= 1


cdef int leaf_grow(BTree* t) noexcept:
    """Twice the room for the only leaf."""
    cdef BtLeaf* leaf = t.first
    cdef uint32_t room = min(2 * leaf.room, <uint32_t>BT_LEAF)
    cdef uint32_t old_room = leaf.room

    leaf = <BtLeaf*>mem_realloc(t.account, leaf, leaf_size(old_room), leaf_size(room))
    memmove(leaf_scores(leaf) + room, leaf_scores(leaf) + old_room, leaf.count * sizeof(void*))
    leaf.room = room
    t.root = t.first = t.last = leaf
    return 0


cdef void link_after(BTree* t, BtLeaf* leaf, BtLeaf* fresh) noexcept:
    """Put a leaf behind another one; before all when that is NULL."""
    fresh.prev = leaf
    fresh.next = leaf.next if leaf is not NULL else t.first
    if fresh.prev is not NULL:
        fresh.prev.next = fresh
    else:
        t.first = fresh
    if fresh.next is not NULL:
        fresh.next.prev = fresh
    else:
        t.last = fresh


cdef void unlink_leaf(BTree* t, BtLeaf* leaf) noexcept:
    """Take a leaf out of the list and free it."""
    if leaf.prev is not NULL:
        leaf.prev.next = leaf.next
    else:
        t.first = leaf.next
    if leaf.next is not NULL:
        leaf.next.prev = leaf.prev
    else:
        t.last = leaf.prev
    leaf_free(t, leaf)


cdef inline void leaf_put(BtLeaf* leaf, uint32_t index, double score, void* member) noexcept:
    cdef double* scores = leaf_scores(leaf)
    cdef void** members = leaf_members(leaf)
    cdef uint32_t behind = leaf.count - index

    memmove(scores + index + 1, scores + index, behind * sizeof(double))
    memmove(members + index + 1, members + index, behind * sizeof(void*))
    scores[index] = score
    members[index] = member
    leaf.count += 1


cdef void leaf_cut(BtLeaf* leaf, uint32_t index, uint32_t n) noexcept:
    """Take n pairs out."""
    cdef double* scores = leaf_scores(leaf)
    cdef void** members = leaf_members(leaf)
    cdef uint32_t behind = leaf.count - index - n

    memmove(scores + index, scores + index + n, behind * sizeof(double))
    memmove(members + index, members + index + n, behind * sizeof(void*))
    leaf.count -= n


cdef void move_left(BtLeaf* left, BtLeaf* right, uint32_t n) noexcept:
    """Move the first n pairs of a leaf to the end of the one before it."""
    memcpy(leaf_scores(left) + left.count, leaf_scores(right), n * sizeof(double))
    memcpy(leaf_members(left) + left.count, leaf_members(right), n * sizeof(void*))
    left.count += n
    leaf_cut(right, 0, n)


cdef void move_right(BtLeaf* left, BtLeaf* right, uint32_t n) noexcept:
    """Move the last n pairs of a leaf to the beginning of the one behind it."""
    cdef double* scores = leaf_scores(right)
    cdef void** members = leaf_members(right)

    memmove(scores + n, scores, right.count * sizeof(double))
    memmove(members + n, members, right.count * sizeof(void*))
    left.count -= n
    memcpy(scores, leaf_scores(left) + left.count, n * sizeof(double))
    memcpy(members, leaf_members(left) + left.count, n * sizeof(void*))
    right.count += n


cdef void children_move(BtInner* to, uint32_t at, BtInner* source, uint32_t first, uint32_t n) noexcept:
    """Copy n children with all that is kept about them; within a node the two ranges may overlap."""
    memmove(&to.scores[at], &source.scores[first], n * sizeof(double))
    memmove(&to.members[at], &source.members[first], n * sizeof(void*))
    memmove(&to.counts[at], &source.counts[first], n * sizeof(uint64_t))
    memmove(&to.children[at], &source.children[first], n * sizeof(void*))


cdef uint64_t pairs_under(const BtInner* node) noexcept:
    cdef uint64_t sum = 0
    cdef uint32_t i

    for i in range(node.count):
        sum += node.counts[i]
    return sum


# ---------------------------------------------------------------- the way down

cdef inline uint32_t child_for(const BTree* t, BtInner* node, double score, const void* member) noexcept:
    """The last child that begins with a pair up to this one; the first child if none does."""
    return pairs_below(t, node.scores + 1, node.members + 1, node.count - 1, score, member, True)


cdef inline void prefetch_leaf(const BtLeaf* leaf) noexcept:
    """Ask for a leaf's header and scores: all lines at once, where a search would wait for one after the other."""
    cdef int line

    for line in range(LEAF_LINES):
        prefetch(<const char*>leaf + 64 * line)


cdef BtLeaf* descend(const BTree* t, double score, const void* member, Step* path) noexcept:
    """The leaf where this pair is or belongs, and the way to it. The tree is not empty."""
    cdef void* node = t.root
    cdef uint32_t level

    for level in range(t.depth):
        path[level].node = <BtInner*>node
        path[level].index = child_for(t, <BtInner*>node, score, member)
        node = path[level].node.children[path[level].index]
    prefetch_leaf(<BtLeaf*>node)
    return <BtLeaf*>node


cdef BtLeaf* descend_rank(const BTree* t, uint64_t rank, Step* path, uint32_t* index) noexcept:
    """The leaf with the pair of this rank, below t.count; its place there and the way."""
    cdef void* node = t.root
    cdef uint32_t level, i

    for level in range(t.depth):
        i = 0
        while rank >= (<BtInner*>node).counts[i]:
            rank -= (<BtInner*>node).counts[i]
            i += 1
        path[level].node = <BtInner*>node
        path[level].index = i
        node = (<BtInner*>node).children[i]
    index[0] = <uint32_t>rank
    return <BtLeaf*>node


cdef inline void add_to_counts(BTree* t, Step* path, int64_t n) noexcept:
    """n pairs more below the end of the path."""
    cdef uint32_t level

    for level in range(t.depth):
        path[level].node.counts[path[level].index] += n
    t.count += n


cdef void set_separator(Step* path, int level, double score, void* member) noexcept:
    """Below child path[level], the first pair is this one now: noted in the one node where the way is not the first."""
    while level >= 0 and path[level].index == 0:
        level -= 1
    if level >= 0:
        path[level].node.scores[path[level].index] = score
        path[level].node.members[path[level].index] = member


cdef bint at_left_edge(Step* path, int levels) noexcept:
    """Whether the node below these levels of the path is the first one of its level."""
    cdef int level

    for level in range(levels):
        if path[level].index:
            return False
    return True


cdef bint at_right_edge(Step* path, int levels) noexcept:
    cdef int level

    for level in range(levels):
        if path[level].index != path[level].node.count - 1:
            return False
    return True


# ---------------------------------------------------------------- adding

cdef int take_spares(BTree* t, Step* path, Spares* spares, BtLeaf* fresh) noexcept:
    """An inner node for each full one above a leaf that is to be split, and one more if the root is among them.
    """
    cdef int level = <int>t.depth - 1

    spares.count = 0
    while level >= 0 and path[level].node.count == BT_INNER:
        spares.inner[spares.count] = inner_new(t)
        spares.count += 1
        level -= 1
    if level < 0:
        if t.depth == BT_DEPTH:
            mem_give_up(b"a sorted set has no more levels than", BT_DEPTH)
        spares.inner[spares.count] = inner_new(t)
        spares.count += 1
    return 0


cdef inline BtInner* spare_inner(Spares* spares) noexcept:
    spares.count -= 1
    return spares.inner[spares.count]


cdef void put_child(BtInner* node, uint32_t at, void* child, double score, void* member, uint64_t count) noexcept:
    """Give a node that is not full a child. The separator goes before the child; behind it if it is the first."""
    cdef uint32_t separator = at if at else 1

    children_move(node, at + 1, node, at, node.count - at)
    node.children[at] = child
    node.counts[at] = count
    node.scores[separator] = score
    node.members[separator] = member
    node.count += 1


cdef void new_root(BTree* t, uint32_t at, void* child, double score, void* member, uint64_t count,
                   BtInner* root) noexcept:
    """A level more: the old root and a new child, behind it or (at 0) before it."""
    root.children[0] = t.root
    root.counts[0] = t.count - count
    root.count = 1
    put_child(root, 1 if at else 0, child, score, member, count)
    t.root = root
    t.depth += 1


cdef void insert_child(BTree* t, Step* path, int level, uint32_t at, void* child, double score, void* member,
                       uint64_t count, Spares* spares) noexcept:
    """Put a child in at path[level], splitting full nodes up to the root.

    `at` 0 is for a child before all others; the separator is then the first pair of the one behind.
    The pairs below the child are part of the counts above path[level] already.
    """
    cdef BtInner* node
    cdef BtInner* fresh
    cdef uint32_t keep

    while level >= 0:
        node = path[level].node
        if node.count < BT_INNER:
            put_child(node, at, child, score, member, count)
            return
        fresh = spare_inner(spares)
        if at == 0 or (at == BT_INNER and at_right_edge(path, level)):
            # Full nodes stay full where a tree grows at its ends.
            fresh.children[0] = child
            fresh.counts[0] = count
            fresh.count = 1
        else:
            keep = BT_INNER // 2
            children_move(fresh, 0, node, keep, BT_INNER - keep)
            fresh.count = BT_INNER - keep
            node.count = keep
            if at <= keep:
                put_child(node, at, child, score, member, count)
            else:
                put_child(fresh, at - keep, child, score, member, count)
            score = fresh.scores[0]
            member = fresh.members[0]
            count = pairs_under(fresh)
            at = 1
        child = fresh
        level -= 1
        if level >= 0:
            path[level].node.counts[path[level].index] -= count
            at = path[level].index + 1 if at else 0
    new_root(t, at, child, score, member, count, spare_inner(spares))


cdef bint give_to_sibling(BTree* t, Step* path, BtLeaf* leaf) noexcept:
    """Move pairs of a full leaf to its emptier neighbour below the same node. False: both are rather full, too."""
    cdef Step* step
    cdef BtLeaf* left = NULL
    cdef BtLeaf* right = NULL
    cdef uint32_t n

    if t.depth == 0:
        return False
    step = &path[t.depth - 1]
    if step.index > 0:
        left = leaf.prev
    if step.index + 1 < step.node.count:
        right = leaf.next
    if left is not NULL and left.count < LEAF_GIVES and (right is NULL or left.count <= right.count):
        n = (leaf.count - left.count + 1) // 2
        move_left(left, leaf, n)
        step.node.counts[step.index - 1] += n
        step.node.counts[step.index] -= n
        step.node.scores[step.index] = leaf_scores(leaf)[0]
        step.node.members[step.index] = leaf_members(leaf)[0]
        return True
    if right is not NULL and right.count < LEAF_GIVES:
        n = (leaf.count - right.count + 1) // 2
        move_right(leaf, right, n)
        step.node.counts[step.index] -= n
        step.node.counts[step.index + 1] += n
        step.node.scores[step.index + 1] = leaf_scores(right)[0]
        step.node.members[step.index + 1] = leaf_members(right)[0]
        return True
    return False


cdef int split_leaf(BTree* t, Step* path, BtLeaf* leaf) noexcept:
    """Two leaves where there was a full one."""
    cdef Spares spares
    cdef BtLeaf* fresh = leaf_new(t, BT_LEAF)
    cdef int level = <int>t.depth - 1
    cdef uint32_t n = BT_LEAF // 2

    take_spares(t, path, &spares, fresh)
    link_after(t, leaf, fresh)
    move_right(leaf, fresh, n)
    if level >= 0:
        path[level].node.counts[path[level].index] -= n
    insert_child(t, path, level, path[level].index + 1 if level >= 0 else 1, fresh, leaf_scores(fresh)[0],
                 leaf_members(fresh)[0], n, &spares)
    return 0


cdef int add_leaf_at_edge(BTree* t, Step* path, BtLeaf* leaf, bint before, double score, void* member) noexcept:
    """A leaf of one pair, before the first one or behind the last one, which is full and stays so."""
    cdef Spares spares
    cdef BtLeaf* fresh = leaf_new(t, BT_LEAF)
    cdef int level = <int>t.depth - 1
    cdef uint32_t at = 0

    take_spares(t, path, &spares, fresh)
    link_after(t, NULL if before else leaf, fresh)
    leaf_put(fresh, 0, score, member)
    add_to_counts(t, path, 1)
    if level >= 0:
        path[level].node.counts[path[level].index] -= 1
    if before:
        insert_child(t, path, level, 0, fresh, leaf_scores(leaf)[0], leaf_members(leaf)[0], 1, &spares)
    else:
        at = path[level].index + 1 if level >= 0 else 1
        insert_child(t, path, level, at, fresh, score, member, 1, &spares)
    return 0


cdef int begin(BTree* t, double score, void* member) noexcept:
    """The first pair."""
    cdef BtLeaf* leaf = leaf_new(t, FIRST_ROOM)

    leaf_put(leaf, 0, score, member)
    t.root = t.first = t.last = leaf
    t.count = 1
    return 0


cdef int bt_insert(BTree* t, double score, void* member) noexcept:
    cdef Step[BT_DEPTH] path
    cdef BtLeaf* leaf
    cdef uint32_t index

    if t.root is NULL:
        return begin(t, score, member)
    while True:
        leaf = descend(t, score, member, path)
        index = pairs_below(t, leaf_scores(leaf), leaf_members(leaf), leaf.count, score, member, False)
        if likely(leaf.count < leaf.room):
            leaf_put(leaf, index, score, member)
            add_to_counts(t, path, 1)
            return 0
        if leaf.room < BT_LEAF:
            leaf_grow(t)
        elif (index == leaf.count and leaf.next is NULL) or (index == 0 and leaf.prev is NULL):
            return add_leaf_at_edge(t, path, leaf, index == 0, score, member)
        elif not give_to_sibling(t, path, leaf):
            split_leaf(t, path, leaf)


# ---------------------------------------------------------------- removing

cdef void balance_inner(BtInner* left, BtInner* right) noexcept:
    """Even out two neighbours. right's first separator is that of their parent, before and after."""
    cdef uint32_t each = (left.count + right.count) // 2
    cdef uint32_t n

    if left.count < each:
        n = each - left.count
        children_move(left, left.count, right, 0, n)
        children_move(right, 0, right, n, right.count - n)
        left.count += n
        right.count -= n
    else:
        n = left.count - each
        children_move(right, n, right, 0, right.count)
        children_move(right, 0, left, each, n)
        left.count -= n
        right.count += n


cdef bint refill_inner(BTree* t, Step* path, int level) noexcept:
    """Merge a node of too few children with a neighbour; True if path[level - 1] then names a child that is gone.

    Or share the neighbour's children, then False.
    """
    cdef Step* above = &path[level - 1]
    cdef uint32_t behind = above.index + 1 if above.index + 1 < above.node.count else above.index
    cdef BtInner* left = <BtInner*>above.node.children[behind - 1]
    cdef BtInner* right = <BtInner*>above.node.children[behind]

    right.scores[0] = above.node.scores[behind]
    right.members[0] = above.node.members[behind]
    if left.count + right.count <= INNER_MERGE:
        children_move(left, left.count, right, 0, right.count)
        left.count += right.count
        above.node.counts[behind - 1] += above.node.counts[behind]
        inner_free(t, right)
        above.index = behind
        return True
    balance_inner(left, right)
    above.node.scores[behind] = right.scores[0]
    above.node.members[behind] = right.members[0]
    above.node.counts[behind - 1] = pairs_under(left)
    above.node.counts[behind] = pairs_under(right)
    return False


cdef void drop_root_levels(BTree* t) noexcept:
    """A root with one child gives way to it."""
    cdef BtInner* root

    while t.depth and (<BtInner*>t.root).count == 1:
        root = <BtInner*>t.root
        t.root = root.children[0]
        t.depth -= 1
        inner_free(t, root)


cdef void remove_child(BTree* t, Step* path) noexcept:
    """Take the child at the end of the path, which is freed, out of its node; and what follows from that above."""
    cdef int level = <int>t.depth - 1
    cdef BtInner* node
    cdef uint32_t index

    while level >= 0:
        node = path[level].node
        index = path[level].index
        children_move(node, index, node, index + 1, node.count - index - 1)
        node.count -= 1
        if node.count == 0:
            inner_free(t, node)
            level -= 1
            continue
        if index == 0:
            set_separator(path, level - 1, node.scores[0], node.members[0])
        if (node.count >= BT_INNER_MIN or at_left_edge(path, level) or at_right_edge(path, level)
                or not refill_inner(t, path, level)):
            break
        level -= 1
    if level < 0:       # even the root is gone
        t.root = NULL
        t.depth = 0
    drop_root_levels(t)


cdef void refill_leaf(BTree* t, Step* path) noexcept:
    """Merge a leaf of too few pairs with a neighbour below the same node, or share the neighbour's pairs."""
    cdef Step* above = &path[t.depth - 1]
    cdef uint32_t behind = above.index + 1 if above.index + 1 < above.node.count else above.index
    cdef BtLeaf* left = <BtLeaf*>above.node.children[behind - 1]
    cdef BtLeaf* right = <BtLeaf*>above.node.children[behind]
    cdef uint32_t each = (left.count + right.count) // 2

    if left.count + right.count <= LEAF_MERGE:
        move_left(left, right, right.count)
        above.node.counts[behind - 1] = left.count
        unlink_leaf(t, right)
        above.index = behind
        remove_child(t, path)
        return
    if left.count < each:
        move_left(left, right, each - left.count)
    else:
        move_right(left, right, left.count - each)
    above.node.counts[behind - 1] = left.count
    above.node.counts[behind] = right.count
    above.node.scores[behind] = leaf_scores(right)[0]
    above.node.members[behind] = leaf_members(right)[0]


cdef void remove_pairs(BTree* t, Step* path, BtLeaf* leaf, uint32_t index, uint32_t n) noexcept:
    """Take n pairs out of the leaf at the end of the path."""
    leaf_cut(leaf, index, n)
    add_to_counts(t, path, -<int64_t>n)
    if leaf.count == 0:
        unlink_leaf(t, leaf)
        remove_child(t, path)
        return
    if index == 0:
        set_separator(path, <int>t.depth - 1, leaf_scores(leaf)[0], leaf_members(leaf)[0])
    if leaf.count < BT_LEAF_MIN and leaf.prev is not NULL and leaf.next is not NULL:
        refill_leaf(t, path)


cdef inline bint holds(const BtLeaf* leaf, uint32_t index, double score, const void* member) noexcept:
    return index < leaf.count and leaf_members(leaf)[index] == member and leaf_scores(leaf)[index] == score


cdef bint bt_remove(BTree* t, double score, void* member) noexcept:
    cdef Step[BT_DEPTH] path
    cdef BtLeaf* leaf
    cdef uint32_t index

    if t.root is NULL:
        return False
    leaf = descend(t, score, member, path)
    index = place_of(leaf_scores(leaf), leaf_members(leaf), leaf.count, score, member)
    if not holds(leaf, index, score, member):
        return False
    remove_pairs(t, path, leaf, index, 1)
    return True


cdef void bt_delete_range(BTree* t, uint64_t first, uint64_t count, BtRelease release, void* context) noexcept:
    cdef Step[BT_DEPTH] path
    cdef BtLeaf* leaf
    cdef uint32_t index, n, i

    while count:
        leaf = descend_rank(t, first, path, &index)
        n = <uint32_t>min(count, <uint64_t>(leaf.count - index))
        if release is not NULL:
            for i in range(index, index + n):
                prefetch(leaf_members(leaf)[i])
            for i in range(index, index + n):
                release(context, leaf_members(leaf)[i])
        remove_pairs(t, path, leaf, index, n)
        count -= n


# ---------------------------------------------------------------- changing a score

cdef void move_in_leaf(BtLeaf* leaf, uint32_t index, uint32_t place, double score) noexcept:
    """Move a pair before the one that is at `place` now, with another score."""
    cdef double* scores = leaf_scores(leaf)
    cdef void** members = leaf_members(leaf)
    cdef void* member = members[index]

    if place > index:
        place -= 1
        memmove(scores + index, scores + index + 1, (place - index) * sizeof(double))
        memmove(members + index, members + index + 1, (place - index) * sizeof(void*))
    else:
        memmove(scores + place + 1, scores + place, (index - place) * sizeof(double))
        memmove(members + place + 1, members + place, (index - place) * sizeof(void*))
    scores[place] = score
    members[place] = member


cdef int bt_update(BTree* t, double score, void* member, double new_score) noexcept:
    cdef Step[BT_DEPTH] path
    cdef Step[BT_DEPTH] new_path
    # Both ways down come first, so that the memory of the two leaves is waited for once.
    cdef BtLeaf* leaf = descend(t, score, member, path)
    cdef BtLeaf* other = descend(t, new_score, member, new_path)
    cdef uint32_t index = place_of(leaf_scores(leaf), leaf_members(leaf), leaf.count, score, member)
    cdef uint32_t place = pairs_below(t, leaf_scores(other), leaf_members(other), other.count, new_score, member, False)

    if other == leaf:
        move_in_leaf(leaf, index, place, new_score)
        if index == 0 or place == 0:
            set_separator(path, <int>t.depth - 1, leaf_scores(leaf)[0], leaf_members(leaf)[0])
    elif other.count < other.room and leaf.count > BT_LEAF_MIN:
        remove_pairs(t, path, leaf, index, 1)
        leaf_put(other, place, new_score, member)
        add_to_counts(t, new_path, 1)
    else:
        # A node may go or come. The new pair first: it may need memory, and the old one still stands if there is none.
        bt_insert(t, new_score, member)
        bt_remove(t, score, member)
    return 0


# ---------------------------------------------------------------- life of a tree

cdef void bt_init(BTree* t, Account* account, KeyOf key_of) noexcept:
    """An empty tree. `account` pays for its nodes; members stay their owner's."""
    memset(t, 0, sizeof(BTree))
    t.account = account
    t.key_of = key_of


cdef uint64_t bt_drain(BTree* t, uint64_t leaves) noexcept:
    """Free up to so many leaves, the last ones first, without looking at members. Returns the pairs left."""
    cdef Step[BT_DEPTH] path
    cdef void* node
    cdef uint32_t level
    cdef int64_t n

    while leaves and t.root is not NULL:
        node = t.root
        for level in range(t.depth):
            path[level].node = <BtInner*>node
            path[level].index = path[level].node.count - 1
            node = path[level].node.children[path[level].index]
        n = t.last.count
        add_to_counts(t, path, -n)
        unlink_leaf(t, t.last)
        remove_child(t, path)
        leaves -= 1
    return t.count


cdef void bt_clear(BTree* t) noexcept:
    """Free all nodes. O(leaves)."""
    bt_drain(t, UINT64_MAX)


cdef int append_leaf(BTree* t, BtLeaf* fresh) noexcept:
    """Put a filled leaf behind the last one."""
    cdef Step[BT_DEPTH] path
    cdef Spares spares
    cdef void* node = t.root
    cdef uint32_t level
    cdef uint64_t n = fresh.count

    if t.root is NULL:
        t.root = t.first = t.last = fresh
        t.count = n
        return 0
    for level in range(t.depth):
        path[level].node = <BtInner*>node
        path[level].index = path[level].node.count - 1
        node = path[level].node.children[path[level].index]
    take_spares(t, path, &spares, fresh)
    link_after(t, t.last, fresh)
    add_to_counts(t, path, n)
    if t.depth:
        path[t.depth - 1].node.counts[path[t.depth - 1].index] -= n
    insert_child(t, path, <int>t.depth - 1, path[t.depth - 1].index + 1 if t.depth else 1, fresh,
                 leaf_scores(fresh)[0], leaf_members(fresh)[0], n, &spares)
    return 0


cdef int bt_build(BTree* t, const BtPair* pairs, uint64_t count) noexcept:
    cdef BtLeaf* leaf
    cdef uint64_t done = 0
    cdef uint32_t n, i

    while done < count:
        n = <uint32_t>min(<uint64_t>BT_LEAF, count - done)
        leaf = leaf_new(t, n if count <= BT_LEAF else <uint32_t>BT_LEAF)
        for i in range(n):
            leaf_scores(leaf)[i] = pairs[done + i].score
            leaf_members(leaf)[i] = pairs[done + i].member
        leaf.count = n
        append_leaf(t, leaf)
        done += n
    return 0


# ---------------------------------------------------------------- sorting

cdef inline bint pair_less(const BTree* t, const BtPair* a, const BtPair* b) noexcept:
    return less(t, a.score, a.member, b.score, b.member)


cdef bint already_sorted(const BTree* t, BtPair* pairs, uint64_t count) noexcept:
    """Whether pairs are in order; pairs that are in reverse order are turned round."""
    cdef uint64_t i = 1
    cdef bint upwards
    cdef BtPair swap

    if count < 2:
        return True
    upwards = pair_less(t, &pairs[0], &pairs[1])
    while i < count and pair_less(t, &pairs[i - 1], &pairs[i]) == upwards:
        i += 1
    if i < count:
        return False
    if not upwards:
        for i in range(count // 2):
            swap = pairs[i]
            pairs[i] = pairs[count - 1 - i]
            pairs[count - 1 - i] = swap
    return True


cdef void sort_run(const BTree* t, BtPair* pairs, uint64_t count) noexcept:
    """Sort a few pairs by insertion."""
    cdef uint64_t i, j
    cdef BtPair pair

    for i in range(1, count):
        pair = pairs[i]
        j = i
        while j and pair_less(t, &pair, &pairs[j - 1]):
            pairs[j] = pairs[j - 1]
            j -= 1
        pairs[j] = pair


cdef void merge_runs(const BTree* t, const BtPair* source, BtPair* to, uint64_t left, uint64_t count) noexcept:
    """Merge source[0..left) and source[left..count), each in order."""
    cdef uint64_t i = 0, j = left, k

    for k in range(count):
        if j >= count or (i < left and not pair_less(t, &source[j], &source[i])):
            to[k] = source[i]
            i += 1
        else:
            to[k] = source[j]
            j += 1


cdef int bt_sort(BTree* t, BtPair* pairs, uint64_t count) noexcept:
    """Put pairs into the tree's order: merge sort, with as much memory again."""
    cdef BtPair* source = pairs
    cdef BtPair* to
    cdef BtPair* spare
    cdef uint64_t width = RUN, start

    if already_sorted(t, pairs, count):
        return 0
    spare = to = <BtPair*>mem_alloc(t.account, count * sizeof(BtPair))
    start = 0
    while start < count:
        sort_run(t, pairs + start, min(width, count - start))
        start += width
    while width < count:
        start = 0
        while start < count:
            merge_runs(t, source + start, to + start, min(width, count - start), min(2 * width, count - start))
            start += 2 * width
        source, to = to, source
        width *= 2
    if source is not pairs:
        memcpy(pairs, source, count * sizeof(BtPair))
    mem_free(t.account, spare, count * sizeof(BtPair))
    return 0


# ---------------------------------------------------------------- looking up

cdef int64_t bt_rank(const BTree* t, double score, const void* member) noexcept:
    cdef void* node = t.root
    cdef BtLeaf* leaf
    cdef uint64_t rank = 0
    cdef uint32_t _level, index, i

    if node is NULL:
        return -1
    for _level in range(t.depth):
        index = child_for(t, <BtInner*>node, score, member)
        for i in range(index):
            rank += (<BtInner*>node).counts[i]
        node = (<BtInner*>node).children[index]
    leaf = <BtLeaf*>node
    prefetch_leaf(leaf)
    index = place_of(leaf_scores(leaf), leaf_members(leaf), leaf.count, score, member)
    return <int64_t>(rank + index) if holds(leaf, index, score, member) else -1


cdef uint64_t bt_count_score(const BTree* t, double score, bint after) noexcept:
    cdef void* node = t.root
    cdef BtInner* inner
    cdef BtLeaf* leaf
    cdef uint64_t rank = 0
    cdef uint32_t _level, index, i

    if node is NULL:
        return 0
    for _level in range(t.depth):
        inner = <BtInner*>node
        if after:
            index = scores_up_to(inner.scores + 1, inner.count - 1, score)
        else:
            index = scores_below(inner.scores + 1, inner.count - 1, score)
        for i in range(index):
            rank += inner.counts[i]
        node = inner.children[index]
    leaf = <BtLeaf*>node
    if after:
        return rank + scores_up_to(leaf_scores(leaf), leaf.count, score)
    return rank + scores_below(leaf_scores(leaf), leaf.count, score)


cdef BtCursor bt_from_score(const BTree* t, double score) noexcept:
    cdef BtCursor at = BtCursor(NULL, 0)
    cdef void* node = t.root
    cdef BtInner* inner
    cdef uint32_t _level

    if node is NULL:
        return at
    for _level in range(t.depth):
        inner = <BtInner*>node
        node = inner.children[scores_below(inner.scores + 1, inner.count - 1, score)]
    at.leaf = <BtLeaf*>node
    at.index = scores_below(leaf_scores(at.leaf), at.leaf.count, score)
    if at.index == at.leaf.count:
        at.leaf, at.index = at.leaf.next, 0
    return at


cdef uint64_t bt_count_lex(const BTree* t, const char* text, size_t size, bint after) noexcept:
    cdef void* node = t.root
    cdef BtInner* inner
    cdef uint64_t rank = 0
    cdef uint32_t _level, index, i

    if node is NULL:
        return 0
    for _level in range(t.depth):
        inner = <BtInner*>node
        index = texts_below(t, inner.members + 1, inner.count - 1, text, size, after)
        for i in range(index):
            rank += inner.counts[i]
        node = inner.children[index]
    return rank + texts_below(t, leaf_members(<BtLeaf*>node), (<BtLeaf*>node).count, text, size, after)


cdef BtCursor bt_seek(const BTree* t, uint64_t rank) noexcept:
    cdef Step[BT_DEPTH] path
    cdef BtCursor at

    at.leaf = NULL
    at.index = 0
    if rank < t.count:
        at.leaf = descend_rank(t, rank, path, &at.index)
    return at


cdef void bt_prefetch(const BTree* t, double score) noexcept:
    cdef void* node = t.root
    cdef BtInner* inner = NULL
    cdef uint32_t _level, index

    for _level in range(t.depth):
        inner = <BtInner*>node
        index = scores_up_to(inner.scores + 1, inner.count - 1, score)
        node = inner.children[index]
    if inner is not NULL:
        prefetch_leaf(<BtLeaf*>node)


# ---------------------------------------------------------------- memory and checks

cdef size_t bt_bytes(const BTree* t) noexcept:
    """Bytes of all nodes, as the account has them, to within what malloc gives one block more than another."""
    cdef size_t total = 0

    if t.leaves:
        total = t.leaves * mem_charge(t.first, leaf_size(t.first.room))
    if t.inners:
        total += t.inners * mem_charge(t.root, sizeof(BtInner))
    return total


cdef struct Walk:                   # what bt_verify() has seen so far
    const BTree* tree
    BtLeaf* leaf                    # the last leaf
    uint64_t leaves
    uint64_t inners


cdef int fail(str text) except -1:
    raise AssertionError(f"tree: {text}")


cdef int verify_leaf(Walk* walk, BtLeaf* leaf) except -1:
    cdef const BTree* t = walk.tree
    cdef BtLeaf* before = walk.leaf
    cdef double* scores = leaf_scores(leaf)
    cdef void** members = leaf_members(leaf)
    cdef uint32_t i

    if leaf.prev != before or (before is NULL and t.first != leaf) or (before is not NULL and before.next != leaf):
        fail("leaves are not linked in order")
    if leaf.count == 0 or leaf.count > leaf.room or leaf.room > BT_LEAF or (t.depth and leaf.room != BT_LEAF):
        fail(f"a leaf has {leaf.count} pairs and room for {leaf.room}")
    if leaf.count < BT_LEAF_MIN and leaf.prev is not NULL and leaf.next is not NULL:
        fail(f"an inner leaf has only {leaf.count} pairs")
    for i in range(leaf.count):
        if scores[i] != scores[i]:
            fail("a score is NaN")
        if i and not less(t, scores[i - 1], members[i - 1], scores[i], members[i]):
            fail(f"pairs {i - 1} and {i} of a leaf are in the wrong order")
    if before is not NULL and not less(t, leaf_scores(before)[before.count - 1], leaf_members(before)[before.count - 1],
                                       scores[0], members[0]):
        fail("two leaves are in the wrong order")
    walk.leaf = leaf
    walk.leaves += 1
    return 0


cdef BtLeaf* first_leaf_below(void* node, uint32_t levels) noexcept:
    while levels:
        node = (<BtInner*>node).children[0]
        levels -= 1
    return <BtLeaf*>node


cdef int64_t verify_node(Walk* walk, void* node, uint32_t levels, bint first, bint last) except -1:
    """Check what is below a node, `levels` above the leaves, first and last of its level or not; the pairs there."""
    cdef BtInner* inner = <BtInner*>node
    cdef BtLeaf* leaf
    cdef uint64_t sum = 0, n
    cdef uint32_t i

    if levels == 0:
        verify_leaf(walk, <BtLeaf*>node)
        return (<BtLeaf*>node).count
    if inner.count == 0 or inner.count > BT_INNER or (inner.count < BT_INNER_MIN and not first and not last):
        fail(f"an inner node has {inner.count} children")
    for i in range(inner.count):
        leaf = first_leaf_below(inner.children[i], levels - 1)
        if i and (inner.scores[i] != leaf_scores(leaf)[0] or inner.members[i] != leaf_members(leaf)[0]):
            fail(f"separator {i} of {inner.count} is not the first pair below")
        n = verify_node(walk, inner.children[i], levels - 1, first and i == 0, last and i == inner.count - 1)
        if n != inner.counts[i]:
            fail(f"{n} pairs below a child with a count of {inner.counts[i]}")
        sum += n
    walk.inners += 1
    return sum


cdef int bt_verify(const BTree* t) except -1:
    """Walk through all nodes; AssertionError where order, counts, fill, separators or links are wrong."""
    cdef Walk walk
    cdef uint64_t n = 0

    memset(&walk, 0, sizeof(Walk))
    walk.tree = t
    if t.root is not NULL:
        if t.depth and (<BtInner*>t.root).count < 2:
            fail("the root has one child")
        n = verify_node(&walk, t.root, t.depth, True, True)
    if n != t.count or (n == 0) != (t.root is NULL):
        fail(f"{n} pairs, but a count of {t.count}")
    if walk.leaf != t.last or (walk.leaf is not NULL and walk.leaf.next is not NULL):
        fail("the last leaf is not the last")
    if t.root is NULL and (t.first is not NULL or t.depth):
        fail("an empty tree has a leaf or a level")
    if walk.leaves != t.leaves or walk.inners != t.inners:
        fail(f"{walk.leaves} leaves and {walk.inners} inner nodes, counted as {t.leaves} and {t.inners}")
    return 0
