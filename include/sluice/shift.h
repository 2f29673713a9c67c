/*
 * shift - split, guard, plan: who gets a request, is new healthy, what now?
 *
 * Pure: values in, values out. No clock, log, allocation, random number or
 * global; the same input gives the same answer for ever. Every struct here is
 * plain data that its owner may copy, compare and keep.
 *
 * The guard is docs/guard.md's rule, exactly; shares are ppm, time is ms, only
 * evidence is floating point.
 */
#ifndef SLUICE_SHIFT_H
#define SLUICE_SHIFT_H

#include "sluice/shift/decision.h"
#include "sluice/shift/guard.h"
#include "sluice/shift/plan.h"
#include "sluice/shift/split.h"

#endif
