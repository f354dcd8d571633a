"""Learning a clip's salience map: how likely each place of its spectrogram is a peak of the recording."""
